#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A clone's life is its user's: however it ends it is stopped with its disk, and xl fork-start brings it back as the
# machine that it was.
# live: --source --timeout 500
# full: 4.20 4.17
. "$(dirname "$0")/../lib/lib.sh"
. "$LIVE/xenforkd.sh"

state_of() { info "$1" .state; }
is_stopped() { [ "$(state_of "$1")" = stopped ]; }
uuid_of() { xl list -v "$1" | awk 'NR == 2 { print $7 }'; }
mac_of() { xl network-list "$1" | awk 'NR == 2 { print $3 }'; }
link_of() { basename "$(readlink "/sys/class/net/vif$(domid_of "$1").0/master")"; }
told() { xenstore-read "/local/domain/$(domid_of "$1")/fork/$2"; }
# machine NAME: what it is called and known by
machine() {
    printf '%s\n' "$1 $(uuid_of "$1") $(mac_of "$1") $(link_of "$1")" "$(told "$1" generation) $(told "$1" params/role)" \
        "$(info "$1" '.disks[0].path')"
}
# mark TEXT: on its disk
mark() { ask k mark "$1" >/dev/null; }
marks() { "$LIVE/check-disk" "$disk" | jq -c .marks; }

# ends HOW COMMAND…: the clone by it, its disk and all that was written stay, and it starts again
ends() {
    local how=$1 before
    shift
    before=$(machine k)
    mark "$how"
    "$@" >/dev/null 2>&1
    check "$how: the clone is stopped" wait_until 60 is_stopped k
    isnt "$how: its disk has what it wrote" "$(marks | jq "index(\"$how\")")" null
    check "$how: xl fork-start" timeout 120 xl fork-start k
    check "$how: it ticks" wait_tick k 2 120
    is "$how: it is the same machine" "$(machine k)" "$before"
}

truncate -s 4M /data/ro.img
cp -p /data/ro.img /data/ro2.img
check 'a read-only disk' xl block-attach source format=raw,vdev=xvdb,access=r,target=/data/ro.img
check 'a clone' timeout 120 xl fork --param role=db source k
check 'it ticks' wait_until 60 ticks_on k
disk=$(info k '.disks[0].path')
check 'it is held' held "vif$(domid_of k).0"

# Without a daemon.
ends destroyed xl destroy k
is 'all of its memory is its own' "$(info k .shared_kib)" 0
is 'no image is left' "$(xl fork-list --json | jq -c '[.[] | select(.kind == "image")]')" '[]'

# refuses TEXT PATTERN
refuses() {
    local said status=0
    said=$(timeout 60 xl fork-start k 2>&1) || status=$?
    if [ "$status" = 1 ] && grep -qE "$2" <<<"$said"; then ok "$1"; else fail "$1" "$status: $said"; fi
}
refuses 'a clone that runs is refused' 'k runs already: domain [0-9]+'

# Killed in the middle: no half-made domain, and the clone is stopped.
xl destroy k
timeout 120 xl fork-start k >/dev/null 2>&1 &
begun() { [ -n "$(ls /var/lib/xenfork/journals)" ] && xenstore-list /local/domain | grep -qvxE "0|$(domid_of source)"; }
check 'a start is in the middle' wait_until 30 begun
pkill -9 -x xl-fork
undone() { [ "$(xl list | wc -l)" = 3 ] && is_empty /var/lib/xenfork/journals; }
check 'killed, it leaves no domain' wait_until 60 undone
check 'and the clone is stopped' is_stopped k

xl rename source k
refuses 'a name that is taken is refused' "k is domain $(domid_of k) now, and not the clone"
xl rename k source
mv "$disk" "$disk.away"
refuses 'a disk that is missing is said' "xvda is missing: $disk"
mv "$disk.away" "$disk"
mv /data/ro.img /data/ro1.img
refuses 'a read-only disk that is missing is said' 'read-only disk xvdb .* is missing'
ln -s ro2.img /data/ro.img
refuses 'one that is another by now, too' 'read-only disk xvdb \(/data/ro.img\) is another one'
mv -f /data/ro1.img /data/ro.img
touch /data/ro.img
refuses 'and one that was written to' 'read-only disk xvdb .* was written to'
check 'by --yes it starts' timeout 120 xl fork-start --yes k
xl destroy k
touch -r /data/ro2.img /data/ro.img
said=$(timeout 120 xl fork-start nobody k 2>&1) && status=0 || status=$?
is 'one that fails does not keep others from it' "$status $(grep -c 'no clone named nobody' <<<"$said")" '1 1'
check 'it ticks' wait_tick k 2 120

# Acknowledged and connected: it stays connected, and is ready again when it has adapted to the next start.
ask k "write data/fork/ack $(told k generation)" >/dev/null
is_ready() { [ "$(info k .ready)" = true ]; }
check 'it becomes ready by its acknowledgement' wait_until 20 is_ready
is 'and is connected' "$(link_of k)" xenbr0

starts 'the daemon starts'
ends shutdown timeout 60 xl shutdown -w k
isnt 'it has not adapted to this start' "$(info k .ready)" true
is 'and is connected as before' "$(link_of k)" xenbr0
ask k "write data/fork/ack $(told k generation)" >/dev/null
check 'it is ready once more' wait_until 20 is_ready
stops 'the daemon ends'
done_testing

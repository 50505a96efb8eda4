#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# xl fork-reset: a clone is where it was forked, again and again, whatever it did since; what a killed reset leaves.
# live: --source --timeout 500
# full: 4.17 4.20
. "$(dirname "$0")/../lib/lib.sh"
. "$LIVE/kill.sh"
. "$LIVE/load.sh"
. "$LIVE/xenforkd.sh"

RESETS=${RESETS:-10}
SOURCE_IP=10.0.0.2 # the clone's, too, as it does not adapt

told() { xenstore-read "/local/domain/$(domid_of "$1")/fork/$2"; }
uuid_of() { xl list -v "$1" | awk 'NR == 2 { print $7 }'; }
mac_of() { xl network-list "$1" | awk 'NR == 2 { print $3 }'; }
disk_of() { info "$1" '.disks[0].path'; }
marks() { "$LIVE/check-disk" "$1" | jq -c .marks; }
# machine NAME: what it is called and known by
machine() { printf '%s\n' "$1 $(uuid_of "$1") $(mac_of "$1")" "$(told "$1" params/role) $(told "$1" index)"; }
is_connected() { ! held "vif$(domid_of "$1").0"; }
is_removed() { [ -z "$(info "$1" .state)" ]; }
is_ready() { [ "$(info "$1" .ready)" = true ]; }
acks() { ask "$1" "write data/fork/ack $(told "$1" generation)" >/dev/null && wait_until 20 is_ready "$1"; }
# counts: of all that could accumulate
counts() {
    printf '%s domains, %s loop devices, %s files, %s vifs, %s journals\n' "$(xl list | wc -l)" \
        "$(losetup -l -n | wc -l)" "$(find /data /var/lib/xenfork/clones /var/lib/xenfork/images | wc -l)" \
        "$(find /sys/class/net -name 'vif*' | wc -l)" "$(find /var/lib/xenfork/journals -type f | wc -l)"
}

token=$(field source token)
ask source mark before >/dev/null
check 'the source is frozen' timeout 120 xl fork-freeze source
check 'a clone' timeout 120 xl fork --param role=db source job
check 'it ticks' wait_until 60 ticks_on job
before=$(machine job) generation=$(told job generation) domid=$(domid_of job) disk=$(disk_of job)
ask job mark lost >/dev/null
ask job 'sh echo lost >/tmp/lost' >/dev/null
check 'it acknowledges' acks job
check 'and is connected' wait_until 10 is_connected job
isnt 'its disk has what it wrote' "$(marks "$disk" | jq 'index("lost")')" null

check 'a reset' timeout 60 xl fork-reset --paused job
isnt 'it is another domain' "$(domid_of job)" "$domid"
is 'the same machine' "$(machine job)" "$before"
isnt 'of a new generation' "$(told job generation)" "$generation"
check 'its NIC is held' held "vif$(domid_of job).0"
isnt 'its disk is new' "$(disk_of job)" "$disk"
check 'the old one is gone' test ! -e "$disk"
is 'what it wrote is gone' "$(marks "$(disk_of job)")" '["before"]'
xl unpause job
check 'it ticks' wait_until 60 ticks_on job
is 'the token of before the fork' "$(field job token)" "$token"
is 'nothing of what it did in memory' "$(ask job 'sh cat /tmp/lost 2>&1' | grep -c 'No such file')" 1
is 'its own MAC inside' "$(field job mac)" "$(mac_of job)"

# However it is.
xl destroy job
check 'stopped, it starts there' timeout 60 xl fork-reset job
check 'it answers' ask job identity
is 'the token' "$(field job token)" "$token"
xl rename job work
said=$(timeout 60 xl fork-reset nobody work 2>&1) && status=0 || status=$?
is 'one that fails does not keep others from it' \
    "$status $(grep -c 'no clone named nobody' <<<"$said") $(grep -c '^work is where it was forked' <<<"$said")" '1 1 1'
is 'it keeps its name' "$(domid_of job)" ''

# kills STAGE: a reset that dies there, and its keeper does what is left
is_undone() { is_empty /var/lib/xenfork/journals; }
kills() {
    local status=0
    { XENFORK_TEST_KILL=$1 timeout 60 xl fork-reset work >/dev/null 2>&1 || status=$?; } 2>/dev/null
    is "$1: the reset dies by signal 9" "$status" 137
    check "$1: its journal is gone" wait_until 60 is_undone
}
ask work mark kept >/dev/null
domid=$(domid_of work) disk=$(disk_of work) files=$(find /data | wc -l)
kills create
is 'create: it runs on as before' "$(domid_of work) $(disk_of work)" "$domid $disk"
check 'create: it ticks' ticks_on work
kills fork
is 'fork: it is stopped' "$(info work .state) $(domid_of work)" 'stopped '
is 'fork: its disk is as it was' "$(disk_of work) $(marks "$disk")" "$disk [\"before\",\"kept\"]"
is 'fork: no other disk is left' "$(find /data | wc -l)" "$files"
check 'it is reset' timeout 60 xl fork-reset work
kills unpause
check 'unpause: it is reset, and ticks' wait_until 60 ticks_on work
is 'unpause: what it wrote is gone' "$(test -e "$disk" || echo gone) $(marks "$(disk_of work)" | jq 'index("kept")')" 'gone null'
is 'unpause: no other disk is left' "$(find /data | wc -l)" "$files"
check 'it is destroyed' timeout 60 xl fork-destroy work

# Again and again, while it writes and serves.
check 'a clone that is connected at once' timeout 60 xl fork --net=connect source load
before=$(machine load)
busy_net $SOURCE_IP
seen() { ask load view | jq -r '"\(.token) \(.mac)"'; }
is_itself() { [ "$(seen)" = "$token $(mac_of load)" ]; }
wrong=
for i in $(seq "$RESETS"); do
    busy_disk load
    ask load mark lost >/dev/null || wrong+=" $i:mark"
    [ "$i" -ne 2 ] || counts_before=$(counts) free_before=$(free_mib)
    timeout 60 xl fork-reset --paused load >/dev/null || wrong+=" $i:status"
    [ "$(marks "$(disk_of load)")" = '["before"]' ] || wrong+=" $i:disk"
    xl unpause load
    # Its driver takes the MAC when it has connected again.
    wait_until 30 is_itself || wrong+=" $i:$(seen) of $token $(mac_of load)"
done
is "$RESETS resets: token, MAC and disk are right each time" "$wrong" ''
check 'the network is there' ping -q -c 1 -W 10 $SOURCE_IP
is 'nothing accumulates' "$(counts)" "$counts_before"
at_least 'nor does memory' "$(free_mib)" "$((free_before - 4))"
is 'it is the same machine' "$(machine load)" "$before"
check 'it is destroyed' timeout 60 xl fork-destroy load

# How long it takes, beside a fork of a frozen source, which makes one clone and no image.
seconds() {
    local begin
    begin=$(date +%s.%N)
    timeout 60 "$@" >/dev/null 2>&1 || diag "failed: $*"
    awk -v begin="$begin" -v end="$(date +%s.%N)" 'BEGIN { print end - begin }'
}
median() { sort -n | sed -n 3p; }
forks=$(for i in 1 2 3 4 5; do seconds xl fork --no-hydrate --paused source "f$i"; done | median)
resets=$(for i in 1 2 3 4 5; do seconds xl fork-reset --paused "f$i"; done | median)
diag "xl fork of a frozen source $forks s, xl fork-reset $resets s: $(awk "BEGIN { print $resets / $forks }")"
timeout 120 xl fork-destroy f1 f2 f3 f4 f5

# xenforkd sees a domain end, and must not take it for the end of an ephemeral clone.
starts 'the daemon starts'
check 'an ephemeral clone' timeout 60 xl fork --ephemeral source e
check 'it ticks' wait_until 60 ticks_on e
check 'it is reset' timeout 60 xl fork-reset e
sleep 5
check 'it is still there' ticks_on e
is 'and ephemeral' "$(info e .ephemeral)" poweroff
xl destroy e
check 'until it ends' wait_until 60 is_removed e
stops 'the daemon ends'
done_testing

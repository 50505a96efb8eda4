#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# An HVM guest without any PV driver, which a BIOS has booted from an emulated disk: running, paused and frozen. Each
# clone has a QEMU of its own, with display, serial port, keyboard, disk and NIC.
# live: --timeout 900
# full: 4.17 4.20
. "$(dirname "$0")/../lib/lib.sh"
. "$LIVE/refuse.sh"
. "$LIVE/counting.sh"
. "$LIVE/hvm.sh"

"$LIVE/boot-counter" /data/bios.img
cat >/data/bios.cfg <<END
name = "bios"
type = "hvm"
memory = 48
videoram = 16
vga = "stdvga"
vnc = 1
serial = "pty"
vcpus = 1
cpus = "1"
disk = [ "format=raw,vdev=xvda,access=rw,target=/data/bios.img" ]
vif = [ "bridge=xenbr0,mac=00:16:3e:00:00:09" ]
END

key_of() { lines "$1" | tail -n 1 | cut -c1; }
has_key() { [ "$(key_of "$1")" = "$2" ]; }
qemu_of() { pgrep -f -- "-xen-domid $(domid_of "$1") "; }
# files_of DOM: what its QEMU has open, through a loop device or not
files_of() {
    readlink "/proc/$(qemu_of "$1")/fd/"* | while read -r file; do
        case $file in
            /dev/loop[0-9]*) losetup -n -O BACK-FILE "$file" ;;
            *) printf '%s\n' "$file" ;;
        esac
    done
}
greets() { timeout 20 bash -c 'exec 3<>"/dev/tcp/127.0.0.1/$0" && head -c 3 <&3' "$1"; }
speaks() { timeout 20 head -n 2 "$(node "$1" serial/0/tty)" | grep -q '[a-p]\{8\}'; }
has_overlay() { files_of "$1" | grep -qxF "$(info "$1" '.disks[0].path')"; }

is_suspended() { xl list "$1" | awk 'NR == 2 { exit $5 !~ /s/ }'; }
has_qemu() { pgrep -f -- "-name $1 "; }
is_gone() { [ -z "$(domid_of "$1")" ] && ! has_qemu "$1"; }

# killed_when TEXT COMMAND…: a fork, as soon as the command succeeds
killed_when() {
    local fork
    xl fork bios k 2>/dev/null &
    fork=$!
    check "$1" wait_until 120 "${@:2}"
    kill -9 "$fork"
    wait "$fork" 2>/dev/null
    check 'the fork is killed: the source counts on' counts_on bios
    check 'nothing of ours is left' wait_until 60 nothing_of_ours
    check 'nor of the clone' wait_until 60 is_gone k
}

check 'an HVM domain' timeout 120 xl create -q /data/bios.cfg
check 'its BIOS boots, and it counts' wait_until 240 is_past bios 2
before=$(last bios)
result=$(timeout 120 xl fork --json bios c1)
isnt 'it is forked while it runs' "$result" ''
diag "$(jq -c '.counters, .clones[0].made_by, .clones[0].because' <<<"$result" | paste -sd' ')"
after=$(last bios)
check 'the clone counts on' counts_on c1
check 'the source, too' counts_on bios
first=$(said c1 | sed -n 2p)
at_least 'the clone goes on from the instant of the fork: not before' "$first" "$before"
at_least 'nor after' "$((after + 2))" "$first"
is 'the source has left out nothing' "$(said bios | awk 'NR > 1 && $1 != last + 1 { print last, $1 } { last = $1 }')" ''

isnt 'the display has a port of its own' "$(node c1 console/vnc-port)" "$(node bios console/vnc-port)"
is 'where one can look at it' "$(greets "$(node c1 console/vnc-port)")" RFB
check "the clone's serial port speaks" speaks c1
check 'its disk is its own' has_overlay c1
diag "$(files_of c1 | grep '^/d' | paste -sd' ')"
is 'and not that of the source' "$(files_of c1 | grep -c '^/data/bios.img')" 0
is 'QEMU has waited for its memory, and nothing of that is kept' "$(xl list -l c1 | grep -c -- '"-S"')" 0
vif=vif$(domid_of c1).0
check 'its PV NIC is held' held "$vif"
check 'its emulated one, too' held "$vif-emu"

check 'a key is pressed in the clone' press c1 k
check 'which gets it' wait_until 60 has_key c1 k
check 'the source counts on' counts_on bios
is 'and waits for one still' "$(key_of bios)" -
check 'the clone is destroyed' timeout 60 xl fork-destroy c1

xl pause bios
ran=$(cpu_time bios)
check 'paused by its user, it is forked' timeout 120 xl fork --quiesce=pause bios c2
is 'and has not run for that' "$(cpu_time bios)" "$ran"
check 'its clone counts on' counts_on c2
check 'the clone is destroyed' timeout 60 xl fork-destroy c2
xl unpause bios
check 'unpaused, it counts on' counts_on bios

check 'it is frozen' timeout 60 xl fork-freeze bios
still=$(last bios)
check 'and forked from there' timeout 120 xl fork -n 2 bios f
check 'the first clone counts on' counts_on f-1
check 'the second, too' counts_on f-2
is 'it does not' "$(last bios)" "$still"
check 'it is thawed' timeout 60 xl fork-thaw bios
check 'and counts on' counts_on bios
check 'the clones are destroyed' timeout 120 xl fork-destroy f-1 f-2
check 'nothing of ours is left' wait_until 20 nothing_of_ours

killed_when 'a fork has suspended it' is_suspended bios
killed_when 'a fork has started the QEMU of its clone' has_qemu k
xl destroy bios
is "nor of QEMU's state" "$(find /var/lib/xen -name 'qemu-*')" ''
done_testing

#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# An HVM guest that uses nothing of Xen's, with emulated disk and network card, both in use: forked running and paused.
# Both sides' disk and network go on, and each has its own.
# live: --systems --timeout 1500
# full: 4.17 4.20
. "$(dirname "$0")/../lib/lib.sh"
. "$LIVE/refuse.sh"
. "$LIVE/hvm.sh"

answers() { shell "$1" true; }
counts() { shell "$1" 'cat /tmp/count'; }
counts_on() {
    local before
    before=$(counts "$1")
    sleep 2
    at_least "$1 counts on" "$(counts "$1")" "$((before + 1))"
}
pings() { ping -q -c 1 -W 2 "$1"; }
# writes DOM MARK: on its disk; reads DOM: what it finds there, past what it remembers
writes() { shell "$1" "echo $2 | dd of=/dev/sda bs=512 seek=4096 conv=notrunc,fsync 2>/dev/null"; }
reads() { shell "$1" 'echo 3 >/proc/sys/vm/drop_caches; dd if=/dev/sda bs=512 skip=4096 count=1 2>/dev/null | head -n 1'; }

truncate -s 16M /data/emu.img
boot_hvm emu /usr/share/xenfork-guest/vmlinux /data/systems/emulated.initrd \
    'console=ttyS0 quiet panic=1 mitigations=off xen_nopv' 'vif = [ "bridge=xenbr0,mac=00:16:3e:00:00:09" ]'
wait_until 400 answers emu || bail_out 'Linux does not come up'
diag "after $SECONDS s: $(shell emu 'cat /proc/cmdline; lsmod | cut -d" " -f1 | paste -sd" "; cat /sys/devices/system/clocksource/*/current_clocksource')"
is 'it has no PV driver' "$(shell emu 'ls /sys/bus/xen/devices 2>/dev/null; ls /dev/xvd* 2>/dev/null; true')" ''
check 'its network card works' wait_until 30 pings 10.0.0.7
writes emu before
# So that it writes at the cut.
shell emu 'while sleep 1; do dd if=/dev/urandom of=/dev/sda bs=4096 seek=1024 count=256 conv=notrunc; sync; done >/dev/null 2>&1 &' >/dev/null
# shellcheck disable=SC2016  # expanded in the guest
shell emu 'n=0; while sleep 0.5; do n=$((n+1)); echo $n >/tmp/count; done >/dev/null 2>&1 &' >/dev/null
sleep 2
before=$(counts emu)

result=$(timeout 200 xl fork --json emu c)
isnt 'it is forked while it runs, and writes' "$result" ''
diag "$(jq -c '.counters, .timings_ns, .clones[0].timings_ns' <<<"$result" | paste -sd' ')"
at_least 'the clone goes on from there' "$(counts c)" "$before"
counts_on c
counts_on emu
is "the clone's disk is the source's of that instant" "$(reads c)" before
writes c clone-only
is 'its writes' "$(reads c)" clone-only
is 'are its own' "$(reads emu)" before
# shellcheck disable=SC2016
for guest in emu c; do shell "$guest" 'kill $(jobs -p); killall dd' >/dev/null; done
is 'it has read and written without an error' "$(shell c 'dmesg | grep -ciE "ata.*(error|exception|failed)|i/o error"; true')" 0
is 'the source, too' "$(shell emu 'dmesg | grep -ciE "ata.*(error|exception|failed)|i/o error"; true')" 0

mac=$(json '.clones[0].nics[0].mac' <<<"$result")
shell c "ip addr del 10.0.0.7/24 dev eth0; ip addr add 10.0.0.8/24 dev eth0; ip link set eth0 down; ip link set eth0 address $mac; ip link set eth0 up" >/dev/null
check 'its network card is held' held "vif$(domid_of c).0-emu"
check 'until it is connected' timeout 60 xl fork-net c connect
check 'then it works' wait_until 30 pings 10.0.0.8
check "the source's does" wait_until 30 pings 10.0.0.7
check 'the clone is destroyed' timeout 60 xl fork-destroy c

xl pause emu
check 'paused, it is forked' timeout 200 xl fork --quiesce=pause emu p
check 'its clone answers' wait_until 30 answers p
is 'and reads its disk' "$(reads p)" before
writes p paused
is 'and writes' "$(reads p)" paused
xl unpause emu
check 'the source answers' wait_until 30 answers emu
is 'and reads its own' "$(reads emu)" before
check "and its network card works" wait_until 30 pings 10.0.0.7
check 'the clone is destroyed' timeout 60 xl fork-destroy p
check 'nothing of ours is left' wait_until 20 nothing_of_ours
done_testing

#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# An HVM domain with what Windows asks for: its clone has all that a restored domain has, at the same instant: vCPUs,
# timers and emulated devices, viridian, TSC, clock. Its generation id is its own. Memory on demand is refused.
# live: --timeout 900
# full: 4.17 4.20
. "$(dirname "$0")/../lib/lib.sh"
. "$LIVE/refuse.sh"
. "$LIVE/counting.sh"
. "$LIVE/hvm.sh"
. "$LIVE/kept.sh"

genid() { context "$1" | sed -n 's/^genid //p'; }
config() { xl list -l "$1" | jq -c ".[0].config.b_info.\"type.hvm\".$2"; }
# What Windows asks for: AHCI, e1000, Cirrus, viridian timers, a generation id; and a CD drive, and another one without CD.
head -c 1048576 /dev/urandom >/data/cd.iso
"$LIVE/boot-counter" --viridian /data/win.img
hvm_config win /data/win.img 1 'memory = 48' 'videoram = 8' 'vga = "cirrus"' 'hdtype = "ahci"' 'viridian = [ "all" ]' \
    'ms_vm_genid = "generate"' 'rtc_timeoffset = 3600' 'tsc_mode = "always_emulate"' 'timer_mode = "no_missed_ticks_pending"' 'hpet = 1' \
    'vif = [ "bridge=xenbr0,mac=00:16:3e:00:00:09,model=e1000" ]' \
    'disk = [ "format=raw,vdev=xvda,access=rw,target=/data/win.img", "devtype=cdrom,vdev=hdc,access=ro,format=raw,target=/data/cd.iso", "devtype=cdrom,vdev=hdd,format=empty" ]' \
    >/data/win.cfg
timeout 120 xl create -q /data/win.cfg || bail_out 'no HVM domain'
check 'its BIOS boots from AHCI, and it counts' wait_until 240 is_past win 2
xl pause win
check 'paused, it is forked' timeout 120 xl fork --paused --quiesce=pause win w
same records win w
same kept win w
cds() { qmp "$1" query-block | jq -c '[.[] | select(.device | startswith("ide-")) | .inserted.file]'; }
is 'it has the same CD, and none' "$(cds w)" "$(cds win)"
diag "$(cds w)"
isnt 'it has a generation id' "$(genid win)" ''
isnt 'the clone has its own' "$(genid w)" "$(genid win)"
is 'by its configuration' "$(genid w)" "$(config w 'ms_vm_genid[]' | while read -r byte; do printf %02x "$byte"; done)"
is 'the same viridian' "$(config w viridian_enable)" "$(config win viridian_enable)"
xl unpause w
check 'the clone counts on' counts_on w
xl unpause win
check 'the source, too' counts_on win
diag "$(context w | grep -E '^record (10|11|13|15|17)')"
# Whether the page of its reference TSC can be used is for Xen to say: here its sequence is 0.
sequence() { context "$1" | sed -n 's/^reference TSC //p'; }
isnt 'it has the page of its reference TSC' "$(sequence w)" ''
is 'as the source' "$(sequence w)" "$(sequence win)"
check 'the clone is destroyed' timeout 60 xl fork-destroy w
xl destroy win

# Refused while it is so.
hvm_config pod /data/win.img 1 'memory = 48' 'maxmem = 80' 'videoram = 8' 'vga = "cirrus"' >/data/pod.cfg
xl create -p -q /data/pod.cfg || bail_out 'cannot create pod'
remember pod
refused 'HVM: memory on demand' HYPERVISOR 'pages are populated on demand' 'balloon driver.*maxmem' --quiesce=pause pod k
xl destroy pod
check 'nothing of ours is left' wait_until 20 nothing_of_ours
done_testing

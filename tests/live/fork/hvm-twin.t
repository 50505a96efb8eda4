#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# twin.t for HVM guests: besides, the command line of QEMU, its environment, its interfaces and its log. And what is done with any
# HVM domain: its display, its serial port, a key, xl save and restore, xl destroy.
# live: --timeout 1800
# xen: 4.17
# full: 4.17
# shellcheck disable=SC2034,SC2154  # of twin.sh
. "$(dirname "$0")/../lib/lib.sh"
. "$LIVE/refuse.sh"
. "$LIVE/counting.sh"
. "$LIVE/hvm.sh"
. "$LIVE/twin.sh"

TWIN_PATHS='local/domain/0/backend/vkbd/DOMID local/domain/0/device-model/DOMID'
qemu_of() { xenstore-read "/local/domain/$(domid_of "$1")/image/device-model-pid"; }
# emulator DOM: how its QEMU was started. -S is of libxl's way, and goes with xl fork.
emulator() {
    local id
    id=$(domid_of "$1")
    tr '\0' '\n' <"/proc/$(qemu_of "$1")/cmdline" | grep -vx -- -S |
        sed -E "s,^$id$,DOMID,; s,(/qmp-[a-z]*-)$id,\1DOMID,; s,vif$id\.,vifDOMID.,; s,^fd:[0-9]*$,fd:N,; s,^$1$,NAME,; s,mac=[0-9a-f:]*,mac=MAC,; s,file=[^\,]*,file=FILE,"
}
# process DOM: what its QEMU is to Linux
process() {
    local pid id
    pid=$(qemu_of "$1") id=$(domid_of "$1")
    ps -o ppid=,sid=,user=,nice=,stat= -p "$pid" | sed "s/ $pid / OWN /; s/[RSD][^ ]*$/runs/"
    tr '\0' '\n' <"/proc/$pid/environ" | grep '^XEN_\(DOM\|QEMU\)' | sed "s/=$id$/=DOMID/" | sort
    for fd in 0 1 2; do readlink "/proc/$pid/fd/$fd"; done | bare "$1"
    grep -E '^(Sig(Blk|Ign)|Seccomp):' "/proc/$pid/status"
    cat "/proc/$pid/oom_score_adj"
}
taps() { links "$1" -emu; }
sockets() { find /var/run/xen/ -name "qmp-*-$(domid_of "$1")" -printf '%f %m %u\n' | sed "s/-$(domid_of "$1") /-DOMID /" | sort; }
ALL+=(emulator process taps sockets)
greets() { timeout 20 bash -c 'exec 3<>"/dev/tcp/127.0.0.1/$0" && head -c 3 <&3' "$1"; }
speaks() { timeout 20 head -n 2 "$(node "$1" serial/0/tty)" | grep -q '[a-p]\{8\}'; }
key_of() { lines "$1" | tail -n 1 | cut -c1; }
has_key() { [ "$(key_of "$1")" = "$2" ]; }
has_tty() { [ -n "$(xenstore-read "/local/domain/$(domid_of "$1")/console/tty" 2>/dev/null)" ]; }
# guest NAME [CONFIG-LINE…]
guest() {
    "$LIVE/boot-counter" "/data/$1.img"
    cat >"/data/$1.cfg" <<END
name = "$1"
type = "hvm"
memory = 48
videoram = 16
serial = "pty"
cpus = "1"
END
    printf '%s\n' "${@:2}" >>"/data/$1.cfg"
    timeout 180 xl create -q "/data/$1.cfg" || bail_out "no HVM domain $1"
}
no_qemu() { ! pgrep -f -- "-name ($1) "; }

guest bios 'vga = "stdvga"' 'vnc = 1' 'vcpus = 1' 'disk = [ "format=raw,vdev=xvda,access=rw,target=/data/bios.img" ]' \
    'vif = [ "bridge=xenbr0,mac=00:16:3e:00:00:09" ]'
check 'its BIOS boots, and it counts' wait_until 240 is_past bios 2
SOURCE=bios
clone libxl slow || bail_out 'no clone by libxl'
is 'libxl has made it' "$(json '.clones[0].made_by' <<<"$said")" libxl
clone '' quick || bail_out 'no clone by us'
is 'we have made it' "$(json '.clones[0].made_by' <<<"$said") $(json '.clones[0].because' <<<"$said")" 'xenfork '
check 'it has a console' wait_until 10 has_tty quick
same_in_all slow quick "${ALL[@]}"
check 'its NIC is held' held "$(json '.clones[0].nics[0].vif' <<<"$said")"
check 'its emulated one, too' held "$(json '.clones[0].nics[0].vif' <<<"$said")-emu"
isnt 'its display has a port of its own' "$(node quick console/vnc-port)" "$(node slow console/vnc-port)"
is 'where one can look at it' "$(greets "$(node quick console/vnc-port)")" RFB

xl unpause quick
check 'it counts on' counts_on quick
check "its serial port speaks" speaks quick
check 'a key is pressed in it' press quick k
check 'which it gets' wait_until 60 has_key quick k
check 'the source counts on' counts_on bios
is 'and waits for one still' "$(key_of bios)" -
check 'it is reset' timeout 300 xl fork-reset quick
check 'it counts on' counts_on quick
is 'with one QEMU' "$(pgrep -fc -- '-name quick ')" 1
check 'xl save' timeout 120 xl save quick /data/quick.save
check 'its QEMU ends' wait_until 20 no_qemu quick
check 'xl restore' timeout 180 xl restore /data/quick.save
check 'it counts on' counts_on quick
check 'xl fork of it' timeout 300 xl fork quick third
check 'that counts on' counts_on third
check 'xl destroy' timeout 60 xl destroy third
check 'all are removed' timeout 300 xl fork-destroy --yes slow third
xl destroy quick
check 'no QEMU is left of them' wait_until 20 no_qemu 'slow|quick|third'
xl destroy bios

# Another one: more of what a configuration can have. It is never run.
cp /data/bios.img /data/rich2.img
guest rich 'vga = "cirrus"' 'vnc = 1' 'vnclisten = "0.0.0.0"' 'vcpus = 2' 'boot = "dc"' \
    'hdtype = "ahci"' 'viridian = 1' 'disk = [ "format=raw,vdev=hda,access=rw,target=/data/rich.img", "format=raw,vdev=xvdb,access=rw,target=/data/rich2.img" ]' \
    'vif = [ "bridge=xenbr0,mac=00:16:3e:00:00:0a,model=e1000", "bridge=xenbr0,mac=00:16:3e:00:00:0b,type=vif" ]'
sleep 5
xl pause rich
SOURCE=rich
clone libxl two --quiesce=pause || bail_out 'no clone by libxl'
clone '' three --quiesce=pause || bail_out 'no clone by us'
is 'we have made it' "$(json '.clones[0].made_by' <<<"$said") $(json '.clones[0].because' <<<"$said")" 'xenfork '
same_in_all two three nodes record listing seen links grants files emulator process taps sockets
check 'all of these are removed' timeout 300 xl fork-destroy --yes two three
check 'no QEMU is left of them' wait_until 20 no_qemu 'two|three'
xl destroy rich
done_testing

#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Domains that xl fork refuses, each with its own code and text; nothing is touched.
# Domains that need no kernel of theirs to run stay paused; dom0 says for them that they can suspend.
# live: --source --timeout 500
# full: 4.17 4.20
# asan: yes
. "$(dirname "$0")/../lib/lib.sh"
. "$LIVE/refuse.sh"

# paused NAME TYPE [CONFIG-LINE…]
paused() {
    local config
    config=$(mktemp)
    cat >"$config" <<END
name = "$1"
type = "$2"
memory = 96
cpus = "1"
END
    [ "$2" = hvm ] || cat >>"$config" <<END
kernel = "/usr/share/xenfork-guest/vmlinux"
ramdisk = "/usr/share/xenfork-guest/initrd"
END
    [ $# -le 2 ] || printf '%s\n' "${@:3}" >>"$config"
    timeout 60 xl create -p -q "$config" || return
    xenstore-write "/local/domain/$(domid_of "$1")/control/feature-suspend" 1
    rm -f "$config"
}

# created NAME …: or the script ends there
created() { paused "$@" || bail_out "cannot create $1"; remember "$1"; }

created pv pv
refused "PV domain" PV "PV guest" 'type="pvh"' pv k
xl destroy pv

# Any file is firmware to a domain that never runs.
truncate -s 1M /data/uefi.fd
if paused hvm hvm 'vga = "none"' 'vnc = 0' 'usb = 1' 'usbdevice = "tablet"' 'serial = "file:/tmp/serial"' \
    'bios = "ovmf"' 'bios_path_override = "/data/uefi.fd"' 'device_model_args = [ "-action", "reboot=reset" ]'; then
    remember hvm
    refused "what of HVM domains cannot be forked" HVM \
        "emulated USB device; .*UEFI firmware; .*arguments for the device model; .*serial port file:/tmp/serial" \
        "remove usbdevice= .*remove bios= .*remove device_model_args= .*remove serial= " hvm k
    xl destroy hvm
else
    ok "HVM domain # SKIP no device model for HVM domains here"
fi

# No PCI device is there to assign; hardware's I/O ports are the same to us.
created ports pvh 'ioports = [ "2f8-2ff", "3e8-3ef" ]' 'channel = [ "connection=pty,name=agent" ]'
refused "devices, each by its name" PASSTHROUGH "I/O ports 2f8-2ff; .*I/O ports 3e8-3ef; .*forked: channel 0" \
    "remove ioports= from .*; remove channel= from .*" ports k
is "and each is a reason of its own" "$(xl fork-check --json ports | json '.reasons | length')" 3
xl destroy ports

# Its balloon driver never runs: a look at its pages would crash it.
created demand pvh 'maxmem = 160'
refused "memory on demand" HYPERVISOR "pages are populated on demand" "balloon driver.*maxmem" demand k
says "memory on demand: freezing" 1 "populated on demand" "balloon driver" xl fork-freeze demand
untouched "memory on demand: freezing"
xl destroy demand

truncate -s 4M /root/ext4.img /tmp/tmpfs.img /data/block.img
qemu-img create -q -f qcow2 /data/disk.qcow2 4M
block=$(losetup -f --show /data/block.img)
created disks pvh "disk = [ 'format=raw,vdev=xvda,access=rw,target=/root/ext4.img'," \
    "  'format=raw,vdev=xvdb,access=rw,target=/tmp/tmpfs.img'," \
    "  'format=qcow2,vdev=xvdc,access=rw,target=/data/disk.qcow2'," \
    "  'format=raw,vdev=xvdd,access=rw,target=$block' ]"
refused "disk on ext4" DISK "disk xvda \(/root/ext4.img\) cannot be forked: it has no reflinks" \
    "script=block-fork.*XFS, btrfs.*fork-freeze" disks k
is "every disk is named" "$(xl fork-check --json disks | json '.reasons[] | select(.code == "DISK") | .text')" \
    "disk xvda (/root/ext4.img) cannot be forked: it has no reflinks, and is not behind block-fork's device
disk xvdb (/tmp/tmpfs.img) cannot be forked: it has no reflinks, and is not behind block-fork's device
disk xvdd ($block) cannot be forked: it has no reflinks, and is not behind block-fork's device"
xl destroy disks
losetup -d "$block"

start_source off 96 'vif = []' 'on_poweroff = "preserve"'
ask off poweroff >/dev/null
is_off() { [[ $(xl list off | awk 'NR == 2 { print $5 }') == *s* ]]; }
wait_until 30 is_off || bail_out "off does not power off"
remember off
refused "shut-down domain" NOTRUNNING "shut down" "start it" off k
xl destroy off

# A panic that lasts: the kernel has said that it can suspend, and answers nothing.
start_source stuck 96 'vif = []' 'extra = "console=hvc0 quiet panic=3000"'
ask stuck crash >/dev/null
sleep 2
if ticks_on stuck 5; then bail_out "stuck does tick"; fi
remember stuck
start=$SECONDS
says "guest that does not answer" 1 "did not suspend within 3000 ms" "console" xl fork --timeout 3 stuck k
took=$((SECONDS - start))
diag "it took $took s"
at_least "not before its time" "$took" 3
# It got as far as its preparation.
rmdir /data/.xenfork
untouched "guest that does not answer"

# It goes while it is waited for: that is the end of the wait.
errors=$(mktemp)
timeout 60 xl fork --timeout 40 stuck k >/dev/null 2>"$errors" &
fork=$!
asked() { [ "$(xenstore-read "/local/domain/$(domid_of stuck)/control/shutdown")" = suspend ]; }
wait_until 30 asked || bail_out "stuck is not asked to suspend"
xl destroy stuck
start=$SECONDS
status=0
wait "$fork" || status=$?
took=$((SECONDS - start))
diag "it took $took s: $(head -1 "$errors")"
is "source that goes: exit status" "$status" 1
check "source that goes: the wait ends with it" [ "$took" -le 3 ]
check "source that goes: is what it says" grep -q "has been destroyed" "$errors"
check "source that goes: nothing stays" nothing_of_ours

check "the source ticks on" ticks_on source
done_testing

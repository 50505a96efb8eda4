# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Thin volumes of LVM in dom0, for live scripts; after lib.sh.

# thin_volumes NAME=MIB…: in vg0, in a pool; the first has the test guest's file system
thin_volumes() {
    local loop volume first=${1%%=*}
    # dom0 has no udev.
    printf '%s\n' 'activation { udev_sync = 0 udev_rules = 0 monitoring = 0 }' \
        'devices { obtain_device_list_from_udev = 0 }' >/etc/lvm/lvmlocal.conf
    truncate -s 600M /data/pv.img
    loop=$(losetup -f --show /data/pv.img)
    {
        pvcreate "$loop" && vgcreate vg0 "$loop" && lvcreate -L 500M --type thin-pool -n pool vg0
        for volume in "$@"; do
            lvcreate -V "${volume#*=}M" --thin -n "${volume%%=*}" vg0/pool || bail_out "no thin volume $volume"
        done
        dd if=/usr/share/xenfork-guest/disk.img of="/dev/vg0/$first" bs=1M
    } >/tmp/lvm.log 2>&1 || bail_out "no thin volumes: $(cat /tmp/lvm.log)"
}

# All volumes there are, in one word.
volumes() { lvs --noheadings -o lv_name vg0 | sort | tr -d ' \n'; }

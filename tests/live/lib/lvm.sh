# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Thin volumes of LVM in dom0, for live scripts; after lib.sh.

no_udev() {
    printf '%s\n' 'activation { udev_sync = 0 udev_rules = 0 monitoring = 0 }' \
        'devices { obtain_device_list_from_udev = 0 }' >/etc/lvm/lvmlocal.conf
}

# slow_device DEVICE NAME: one over it, whose writes slow_down makes slow; its path
slow_device() {
    modprobe dm-delay
    dmsetup create "$2" --table "0 $(blockdev --getsz "$1") delay $1 0 0 $1 0 0" && dmsetup mknodes &&
        printf '%s\n' "/dev/mapper/$2"
}

# slow_down NAME MS
slow_down() {
    dmsetup table "$1" | awk -v ms="$2" '{ $NF = ms; print }' | dmsetup reload "$1" && dmsetup suspend "$1" &&
        dmsetup resume "$1"
}

# thin_volumes NAME=MIB…: in vg0, in a pool of POOL_MIB, on a disk with sectors of SECTOR_BYTES; the first has the test
# guest's file system
thin_volumes() {
    local device
    no_udev
    truncate -s 600M /data/pv.img
    device=$(losetup -f --show --sector-size "${SECTOR_BYTES:-512}" /data/pv.img)
    make_volumes "$device" "$@" >/tmp/lvm.log 2>&1 || bail_out "no thin volumes: $(cat /tmp/lvm.log)"
}

# make_volumes DEVICE NAME=MIB…
make_volumes() {
    local volume
    pvcreate "$1" && vgcreate vg0 "$1" && lvcreate -L "${POOL_MIB:-500}M" --type thin-pool -n pool vg0 || return
    for volume in "${@:2}"; do
        lvcreate -V "${volume#*=}M" --thin -n "${volume%%=*}" vg0/pool || return
    done
    dd if=/usr/share/xenfork-guest/disk.img of="/dev/vg0/${2%%=*}" bs=1M
}

# All volumes there are, in one word.
volumes() { lvs --noheadings -o lv_name vg0 | sort | tr -d ' \n'; }

# thin_volumes_again: after a power cut
thin_volumes_again() {
    no_udev
    { losetup -f /data/pv.img && vgscan && vgchange -ay vg0; } >/tmp/lvm.log 2>&1 ||
        bail_out "no thin volumes any more: $(cat /tmp/lvm.log)"
}

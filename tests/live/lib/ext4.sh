# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A file system without reflinks, and disks behind block-fork's device; for live scripts, after lib.sh.

# shellcheck disable=SC2034  # for scripts
BLOCK=/usr/libexec/xenfork/xenfork-block

# ext4_at FOLDER MIB: in a file below /data
ext4_at() {
    mkdir -p "$1"
    truncate -s "$2M" "/data/${1##*/}.ext4"
    mkfs.ext4 -q "/data/${1##*/}.ext4" && mount -o loop "/data/${1##*/}.ext4" "$1" || bail_out "no ext4 at $1"
}

# disk_at PATH: the test guest's file system
disk_at() { cp /usr/share/xenfork-guest/disk.img "$1"; }

# start_behind NAME PATH [CONFIG-LINE…]: a guest whose disk can be forked while it runs
start_behind() {
    start_source "$1" 128 "disk = [ \"format=raw,vdev=xvda,access=rw,script=block-fork,target=$2\" ]" "${@:3}"
}

# raw PATH: a device with what that disk holds; what a domain writes passes dom0's cache by
raw() {
    local node
    case $1 in *.thin) ;; *) [ -n "$("$BLOCK" status "$1" 2>/dev/null)" ] || { printf '%s\n' "$1"; return; } ;; esac
    node=$("$BLOCK" status "$1" 2>/dev/null | cut -d : -f 1)
    [ -n "$node" ] || node=$("$BLOCK" attach "$1" r) || return 1
    blockdev --flushbufs "$node"
    printf '%s\n' "$node"
}
# seen PATH FILTER: of what check-disk finds on a disk that no domain has
seen() {
    "$LIVE/check-disk" "$(raw "$1")" | jq -c "$2"
    case $1 in *.thin) "$BLOCK" detach "$1" ;; esac
}

# Devices, loop devices and watchers that are there for thin disks.
thin_devices() {
    dmsetup ls 2>/dev/null | grep '^xenfork-'
    losetup -n -O BACK-FILE -l | grep '/pool/'
    pgrep -x xenfork-block
}
no_thin_devices() { [ -z "$(thin_devices)" ]; }
# taken_down TEXT: soon none are left
taken_down() {
    if wait_until 30 no_thin_devices; then
        ok "$1"
    else
        fail "$1" "$(thin_devices)" "$(dmsetup table)" "$(ls /mnt/e/.xenfork)"
    fi
}

# records: of disks of ours; is_left N: so many, and no image or clone without a disk among them
records() { find /mnt/e/.xenfork -name '*.thin' -o -name '*.head' 2>/dev/null | wc -l; }
is_left() { [ "$(records)" = "$1" ]; }

disk() { info "$1" '.disks[0].path'; }
host() { snapshot_of_host /mnt/e | grep -vE '^[0-9]+ process xl$'; }
# remember the host as it must be afterwards; all_as_before TEXT
remember() { host_before=$(host); }
all_as_before() {
    is_same() { [ "$(host)" = "$host_before" ]; }
    wait_until 30 is_same
    same_host "$1" "$host_before" "$(host)"
}

# shellcheck shell=bash
# guest RELEASE: what a test guest needs in dom0's /usr/share/xenfork-guest: vmlinuz, initrd, disk.img

GUEST_MODULES=(xen-blkfront xen-netfront xenfs crc32c_generic ext4)

key_guest() {
    part_path buildroot "$1"
    part_path kernel "$1"
    cat "$TESTBED/lib/initrd"
    digest "$TOP/tests/guest"
}

make_guest() {
    local kernel root
    kernel=$(need kernel "$2")
    root=$(need buildroot "$2")
    # shellcheck disable=SC2016  # expanded inside
    "$TESTBED/lib/in-root" "$root" -r "$TOP/tests/guest:/guest" -w "$1:/out" sh -euc '
        gcc -static -O2 -Wall -Wextra -Werror -pthread -s -o /out/observe /guest/*.c
        mkdir /tmp/disk
        head -c 16777216 /dev/zero | tr "\000" "\377" >/tmp/disk/data
        mkfs.ext4 -q -b 4096 -d /tmp/disk /out/disk.img 64M'
    cp "$kernel/vmlinuz" "$1/vmlinuz"
    "$TESTBED/lib/initrd" "$kernel" "$1/initrd" "$TOP/tests/guest/init" "$1/observe" \
        "${GUEST_MODULES[@]}"
}

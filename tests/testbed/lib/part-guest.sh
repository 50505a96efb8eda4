# shellcheck shell=bash
# guest RELEASE: what a test guest needs in dom0's /usr/share/xenfork-guest: vmlinux, initrd, disk.img

GUEST_MODULES=(xen-blkfront xen-netfront xenfs crc32c_generic ext4 bridge 8021q macvlan)

key_guest() {
    part_path buildroot "$1"
    part_path kernel "$1"
    cat "$TESTBED/lib/initrd" "$TESTBED/lib/vmlinux"
    digest "$TOP/tests/guest" "$TOP/guest"/*.[ch] "$TOP/guest/post-fork.d"
}

make_guest() {
    local kernel root
    kernel=$(need kernel "$2")
    root=$(need buildroot "$2")
    # shellcheck disable=SC2016  # expanded inside
    "$TESTBED/lib/in-root" "$root" -r "$TOP/tests/guest:/guest" -r "$TOP/guest:/agent" \
        -r "$kernel:/kernel" -r "$TESTBED/lib:/lib-testbed" -w "$1:/out" sh -euc '
        /lib-testbed/vmlinux /kernel/vmlinuz /out/vmlinux
        cp -r /guest/root /out/root
        gcc -static -O2 -Wall -Wextra -Werror -pthread -s -o /out/root/bin/observe /guest/*.c
        gcc -static -O2 -Wall -Wextra -Werror -s -o /out/root/bin/xenfork-agent /agent/*.c
        cp /agent/post-fork.d/* /out/root/etc/xenfork/post-fork.d/
        mkdir /tmp/disk
        head -c 16777216 /dev/zero | tr "\000" "\377" >/tmp/disk/data
        head -c 4194304 /tmp/disk/data >/tmp/disk/probe
        mkfs.ext4 -q -b 4096 -d /tmp/disk /out/disk.img 64M'
    "$TESTBED/lib/initrd" "$kernel" "$1/initrd" "$TOP/tests/guest/init" "$1/root" \
        "${GUEST_MODULES[@]}"
}

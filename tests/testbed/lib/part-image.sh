# shellcheck shell=bash
# image VERSION: what is booted with this Xen: vmlinuz, initrd, dom0.qcow2 (root file system of dom0)

. "$TESTBED/lib/debian.sh"

DOM0_MODULES=(virtio_pci virtio_blk crc32c_generic ext4)

# Stock Xen 4.20 has the same dom0 as our 4.20.
tools_version() {
    case $1 in stock) echo 4.20 ;; *) echo "$1" ;; esac
}

key_image() {
    local version
    version=$(tools_version "$1")
    part_path dom0root "$version"
    part_path kernel trixie
    part_path guest "$(release_of "$version")"
    cat "$TESTBED/lib/initrd"
    digest "$TESTBED/dom0"
    [ ! -d "$CACHE/blktap/$version" ] || digest "$CACHE/blktap/$version"
}

# add_blktap ROOT VERSION: the installation that ../build was given, if any
add_blktap() {
    local tree=$CACHE/blktap/$2
    [ -d "$tree" ] || return 0
    tar -C "$tree" -c . | tar -C "$1" -x --keep-directory-symlink --no-overwrite-dir
    chroot "$1" ldconfig
}

make_image() {
    local version kernel guest root
    version=$(tools_version "$2")
    if [ "$version" != "$2" ]; then
        cp -al -T "$(need image "$version")" "$1"
        return
    fi
    kernel=$(need kernel trixie)
    # A guest has the kernel of its Xen's release.
    guest=$(need guest "$(release_of "$version")")
    root=$1/root

    # Hard links of the packages' files, so only add files or replace them whole.
    cp -al -T "$(need dom0root "$version")" "$root"
    mkdir -p "$root/data" "$root/usr/share/xenfork-guest" "$root/etc/xen"
    rm -rf "$root/usr/lib/modules"
    cp -al "$kernel/modules/lib/modules" "$root/usr/lib/modules"
    cp -l "$guest/vmlinux" "$guest/initrd" "$root/usr/share/xenfork-guest/"
    cp -l --sparse=always "$guest/disk.img" "$root/usr/share/xenfork-guest/"
    install -m 644 "$TOP/tests/guest/source.cfg" "$root/etc/xen/source.cfg"
    rm -f "$root/etc/xen/xl.conf" "$root/etc/hostname" "$root/etc/hosts"
    cp -r --remove-destination "$TESTBED/dom0/etc/." "$root/etc/"
    install -m 755 "$TESTBED/dom0/init" "$root/sbin/testbed-init"
    install -m 755 "$TESTBED/dom0/agent" "$root/sbin/testbed-agent"
    add_blktap "$root" "$version"

    mkfs.ext4 -q -b 4096 -d "$root" "$1/dom0.raw" 3G
    qemu-img convert -O qcow2 "$1/dom0.raw" "$1/dom0.qcow2"
    rm -rf "$1/dom0.raw" "$root"
    cp "$kernel/vmlinuz" "$1/vmlinuz"
    "$TESTBED/lib/initrd" "$kernel" "$1/initrd" "$TESTBED/dom0/initrd-init" '' "${DOM0_MODULES[@]}"
}

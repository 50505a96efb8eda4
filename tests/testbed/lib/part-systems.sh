# shellcheck shell=bash
# systems RELEASE: what HVM guests boot, for --systems, of Debian 12's packages:
#   grub.iso memtest.iso ipxe.iso      disks that a BIOS boots
#   installer.gz installer.initrd      Debian's installer, the kernel as an ELF file
#   debian.gz debian.initrd debian.img.gz   a Debian with systemd, its kernel as an ELF file, its root file system
#   emulated.initrd                    for the guest's kernel, that release's: drivers of emulated devices, and a shell
#                                      on the serial port

. "$TESTBED/lib/debian.sh"

SYSTEM_PACKAGES=(grub-rescue-pc memtest86+ ipxe debian-installer-12-netboot-amd64)
DEBIAN_PACKAGES=(systemd-sysv udev kmod iproute2 linux-image-cloud-amd64 initramfs-tools)
EMULATED_MODULES=(ata_piix ahci sd_mod 8139cp e1000)

key_systems() {
    part_path buildroot bookworm
    part_path kernel "$1"
    printf '%s\n' "${SYSTEM_PACKAGES[@]}" "${DEBIAN_PACKAGES[@]}" "${EMULATED_MODULES[@]}"
    cat "$TESTBED/lib/initrd" "$TESTBED/lib/vmlinux" "$TESTBED/lib/emulated-init"
}

# add_packaged DIR: what packages have as it is booted
add_packaged() {
    # shellcheck disable=SC2016  # expanded inside
    "$TESTBED/lib/in-root" "$(need buildroot bookworm)" -r "$TESTBED/lib:/lib-testbed" -w "$1:/out" sh -euc '
        apt-get update -qq
        cd /tmp
        apt-get download -qq "$@"
        for deb in *.deb; do dpkg-deb -x "$deb" unpacked; done
        cd unpacked
        cp usr/lib/grub-rescue/grub-rescue-cdrom.iso /out/grub.iso
        cp usr/lib/memtest86+/memtest86+x64.iso /out/memtest.iso
        cp usr/lib/ipxe/ipxe.iso /out/ipxe.iso
        cd usr/lib/debian-installer/images/*/amd64/text/debian-installer/amd64
        /lib-testbed/vmlinux linux /out/installer
        cp initrd.gz /out/installer.initrd' sh "${SYSTEM_PACKAGES[@]}"
}

# unpacked BZIMAGE: Debian's cloud kernel, which LZ4 has packed; as lib/vmlinux, which test guests are made with, does
unpacked() {
    python3 -c 'import struct, sys
image = sys.stdin.buffer.read()
start, length = struct.unpack_from("<II", image, 0x248)
start += ((image[0x1F1] or 4) + 1) * 512
sys.stdout.buffer.write(image[start:start + length - 4])' <"$1" | lz4 -dcq
}

# add_debian DIR: root logs itself in on the serial port
add_debian() {
    local root=$1/root getty
    bootstrap bookworm "$root" minbase "${DEBIAN_PACKAGES[@]}"
    echo debian >"$root/etc/hostname"
    echo '/dev/xvda / ext4 defaults 0 1' >"$root/etc/fstab"
    getty=$root/etc/systemd/system/serial-getty@ttyS0.service.d
    mkdir -p "$getty"
    printf '%s\n' '[Service]' 'ExecStart=' 'ExecStart=-/sbin/agetty --autologin root ttyS0 115200 dumb' >"$getty/login.conf"
    unpacked "$root"/boot/vmlinuz-* >"$1/debian"
    cp "$root"/boot/initrd.img-* "$1/debian.initrd"
    rm -rf "$root/var/lib/apt/lists" "$root"/var/cache/apt/*.bin "${root:?}"/boot/*
    # What it is made of lies past the boot sector, which is written at the start.
    mkfs.ext4 -q -b 4096 -d "$root" "$1/debian.img" 640M
    rm -rf "$root"
    gzip -1 "$1/debian.img" "$1/debian"
}

make_systems() {
    host_packages lz4
    add_packaged "$1"
    gzip -1 "$1/installer"
    add_debian "$1"
    "$TESTBED/lib/initrd" "$(need kernel "$2")" "$1/emulated.initrd" "$TESTBED/lib/emulated-init" '' "${EMULATED_MODULES[@]}"
}

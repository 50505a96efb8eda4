# shellcheck shell=bash
# dom0root VERSION: the packages of a dom0 with this Xen's tools; our own files come in part image

. "$TESTBED/lib/debian.sh"

DOM0_PACKAGES=(kmod iproute2 iputils-ping procps psmisc e2fsprogs xfsprogs btrfs-progs util-linux mount fdisk
    socat netcat-openbsd python3 jq tcpdump strace gdb libasan8 libubsan1 dmsetup lvm2
    thin-provisioning-tools qemu-utils qemu-system-xen xenstore-utils bridge-utils bsdextrautils
    bsdutils less bc nbd-client openvswitch-switch)

key_dom0root() {
    printf '%s\n' "xen-utils-$1" "${DOM0_PACKAGES[@]}"
}

make_dom0root() {
    bootstrap "$(release_of "$2")" "$1" minbase "xen-utils-$2" "${DOM0_PACKAGES[@]}"
}

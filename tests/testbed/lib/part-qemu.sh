# shellcheck shell=bash
# qemu RELEASE: that release's emulator, unpacked beside this machine's own; lib/machine.py runs it with its
# own dynamic loader and libraries. Each Xen gets its release's: Debian 13's is about a third faster than
# Debian 12's, but a PVH guest of Xen 4.17 halts in its first instants under it.

. "$TESTBED/lib/debian.sh"

key_qemu() {
    echo "$1"
}

make_qemu() {
    bootstrap "$2" "$1" extract qemu-system-x86 qemu-utils seabios ipxe-qemu
}

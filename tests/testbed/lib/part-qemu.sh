# shellcheck shell=bash
# qemu RELEASE: that release's emulator, unpacked beside this machine's own. Debian 13's is about a third
# faster than Debian 12's. lib/emulator.py runs it with its own dynamic loader and libraries.

. "$TESTBED/lib/debian.sh"

key_qemu() {
    echo "$1"
}

make_qemu() {
    bootstrap "$2" "$1" extract qemu-system-x86 qemu-utils seabios ipxe-qemu
}

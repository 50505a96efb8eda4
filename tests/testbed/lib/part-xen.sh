# shellcheck shell=bash
# xen VERSION: the hypervisor as ELF file `xen`. 4.20 and 4.17 have memory sharing; `stock` is Debian's own.

. "$TESTBED/lib/debian.sh"

key_xen() {
    part_path buildroot "$(release_of "$1")"
    [ "$1" = stock ] || cat "$TOP/tools/build-hypervisor"
}

make_xen() {
    local root
    root=$(need buildroot "$(release_of "$2")")
    if [ "$2" = stock ]; then
        "$TESTBED/lib/in-root" "$root" -w "$1:/out" sh -euc '
            apt-get update -qq
            cd /tmp
            apt-get download -qq xen-hypervisor-4.20-amd64
            dpkg-deb -x xen-hypervisor-*.deb unpacked
            gunzip -c unpacked/boot/xen-*.gz >/out/xen'
    else
        "$TESTBED/lib/in-root" "$root" -r "$TOP/tools:/tools" -w "$1:/out" sh -euc '
            apt-get update -qq
            /tools/build-hypervisor --any-cpu --output /out'
    fi
}

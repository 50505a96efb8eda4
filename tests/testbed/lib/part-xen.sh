# shellcheck shell=bash
# xen VERSION: the hypervisor as ELF file `xen`. 4.20 and 4.17 have memory sharing; `stock` is Debian's own.

. "$TESTBED/lib/debian.sh"

key_xen() {
    part_path buildroot "$(release_of "$1")"
    [ "$1" = stock ] || cat "$TOP/tools/build-hypervisor"
}

# The source that somebody has given for VERSION, if any: see ../build --source.
given_source() {
    find "$CACHE/source" -name "xen-$1.tar.*" | head -n 1
}

make_xen() {
    local root source given=()
    root=$(need buildroot "$(release_of "$2")")
    if [ "$2" = stock ]; then
        "$TESTBED/lib/in-root" "$root" -w "$1:/out" sh -euc '
            apt-get update -qq
            cd /tmp
            apt-get download -qq xen-hypervisor-4.20-amd64
            dpkg-deb -x xen-hypervisor-*.deb unpacked
            gunzip -c unpacked/boot/xen-*.gz >/out/xen'
    else
        mkdir -p "$CACHE/source"
        source=$(given_source "$2")
        [ -z "$source" ] || given=(--source "/source/${source##*/}")
        # shellcheck disable=SC2016  # expanded inside
        "$TESTBED/lib/in-root" "$root" -r "$TOP/tools:/tools" -r "$CACHE/source:/source" -w "$1:/out" sh -euc '
            apt-get update -qq
            /tools/build-hypervisor --any-cpu --output /out "$@"' sh ${given[@]+"${given[@]}"}
    fi
}

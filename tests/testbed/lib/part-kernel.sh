# shellcheck shell=bash
# kernel RELEASE: Debian's kernel (dom0 and guests run the same), its modules, and a static busybox:
#   vmlinuz   modules/lib/modules/VERSION   busybox   release (the VERSION)

. "$TESTBED/lib/debian.sh"

key_kernel() {
    part_path buildroot "$1"
}

make_kernel() {
    local root
    root=$(need buildroot "$2")
    # shellcheck disable=SC2016  # expanded inside
    "$TESTBED/lib/in-root" "$root" -w "$1:/out" bash -euo pipefail -c '
        apt-get update -qq
        cd /tmp
        image=$(apt-cache depends linux-image-amd64 | sed -n "s/^ *Depends: \(linux-image-[0-9].*\)/\1/p")
        apt-get download -qq "$image" busybox-static
        for deb in *.deb; do dpkg-deb -x "$deb" unpacked; done
        cp unpacked/boot/vmlinuz-* /out/vmlinuz
        cp unpacked/bin/busybox /out/busybox 2>/dev/null || cp unpacked/usr/bin/busybox /out/busybox
        mkdir -p /out/modules/lib
        if [ -d unpacked/usr/lib/modules ]; then cp -a unpacked/usr/lib/modules /out/modules/lib/
        else cp -a unpacked/lib/modules /out/modules/lib/; fi
        version=$(ls /out/modules/lib/modules)
        echo "$version" >/out/release
        find /out/modules -name "*.ko.xz" -print0 | xargs -0 -r -n 200 -P 2 xz -d
        apt-get install -y -qq --no-install-recommends kmod >/dev/null
        depmod -b /out/modules "$version"'
}

# shellcheck shell=bash
# buildroot RELEASE: where Xen and the project are built

. "$TESTBED/lib/debian.sh"

BUILD_PACKAGES=(build-essential clang clang-format autoconf automake libtool pkg-config
    autoconf-archive libxen-dev libyajl-dev libdevmapper-dev libcmocka-dev libclang-rt-dev perl shellcheck valgrind
    gdb python3 bison flex jq qemu-utils e2fsprogs xfsprogs xz-utils zstd procps systemd)

build_packages() {
    local name
    for name in "${BUILD_PACKAGES[@]}"; do
        # clang's sanitizer run time has its version in its name on Debian 12
        case $name/$1 in
            libclang-rt-dev/bookworm) echo libclang-rt-14-dev ;;
            libclang-rt-dev/trixie) echo libclang-rt-19-dev ;;
            *) echo "$name" ;;
        esac
    done
}

key_buildroot() {
    build_packages "$1"
}

make_buildroot() {
    local packages
    mapfile -t packages < <(build_packages "$2")
    bootstrap "$2" "$1" minbase "${packages[@]}"
}

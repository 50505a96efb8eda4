#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# The example program is compiled against the library that was built, by its pkg-config file.

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
example="${srcdir:?}/docs/examples/fork-and-wait.c"

if ! command -v "${PKG_CONFIG:=pkg-config}" >/dev/null; then
    echo '1..0 # SKIP no pkg-config (Debian package: pkgconf)'
    exit 0
fi
PKG_CONFIG_PATH="${builddir:?}/libfork${PKG_CONFIG_PATH:+:$PKG_CONFIG_PATH}"
export PKG_CONFIG_PATH

echo 1..3
count=0
# result NAME STATUS: what was said is in a file
result() {
    count=$((count + 1))
    if [ "$2" -eq 0 ]; then
        echo "ok $count - $1"
    else
        echo "not ok $count - $1"
        sed 's/^/# /' "$dir/message"
    fi
}

flags=$($PKG_CONFIG --cflags xenfork 2>"$dir/message") && libs=$($PKG_CONFIG --libs xenfork 2>>"$dir/message")
result 'pkg-config knows xenfork' $?
# shellcheck disable=SC2086 # options
${CC:-cc} -std=c99 -pedantic-errors -Wall -Wextra -Werror ${SAN_CFLAGS-} $flags "$example" -o "$dir/example" $libs \
    >"$dir/message" 2>&1
result 'it is compiled without a warning, and linked' $?
LD_LIBRARY_PATH="$builddir/libfork/.libs${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}" "$dir/example" 2>"$dir/message"
test $? -eq 2 && grep -q usage "$dir/message"
result 'it says how it is used' $?

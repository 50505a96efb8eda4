#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# The library exports the symbol map, all of it and nothing else.

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

echo 1..1

grep -o 'xenfork_[a-z0-9_]*' "${srcdir:?}/libfork/libxenfork.map" | sort -u \
    >"$dir/map"
# shellcheck disable=SC2086 # NM may hold options
${NM:-nm} -D --defined-only "${builddir:?}/libfork/.libs/libxenfork.so" |
    awk '$2 == "T" { sub(/@.*/, "", $3); print $3 }' | sort -u >"$dir/exported"
if diff "$dir/map" "$dir/exported" >"$dir/message"; then
    echo 'ok 1 - exported symbols'
else
    echo 'not ok 1 - exported symbols'
    sed 's/^/# /' "$dir/message"
fi

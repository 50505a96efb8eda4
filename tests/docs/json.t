#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Each key of what --json prints is in xl-fork(1).

. "${srcdir:?}/tests/source/lib.sh"
cd "${srcdir:?}" || exit 1

# keys FILE: keys that it writes, by name or from a table
keys() {
    tr '\n' ' ' <"$1" |
        grep -oE 'json_[a-z_]+\((json, *)"[a-z_]+"|\{XENFORK_[A-Z_]+, "[a-z_]+"' | grep -oE '"[a-z_]+"' | tr -d '"' | sort -u
}

missing() {
    for key in $(keys "$1"); do
        grep -q "C<$key>" docs/xl-fork.1.pod || echo "$key"
    done
}

# shellcheck disable=SC2046 # no file name has a space
set -- $(grep -lE 'json_[a-z]+\(json, *"' xl-plugin/*.c)
echo "1..$(($# + 1))"
result 'there are some' "$(test "$(for file; do keys "$file"; done | wc -l)" -gt 50 || echo few)"
for file; do
    result "$file" "$(missing "$file")"
done

#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Each key of what --json prints is in xl-fork(1); so are the names of stages and counters.

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

# named FUNCTION: all names that it returns
named() {
    sed -n "/[*]$1(/,/^}/p" libfork/base/error.c | grep -oE '"[a-z_]+"' | tr -d '"' | grep -vxE 'none|unknown|detach'
}

# unnamed FUNCTION: those that the manual does not have, where it explains timings_ns and counters
unnamed() {
    for name in $(named "$1"); do
        sed -n '/^C<timings_ns> has/,/^=item/p' docs/xl-fork.1.pod | grep -q "C<$name>" || echo "$name"
    done
}

# shellcheck disable=SC2046 # no file name has a space
set -- $(grep -lE 'json_[a-z]+\(json, *"' xl-plugin/*.c)
echo "1..$(($# + 4))"
result 'there are some' "$(test "$(for file; do keys "$file"; done | wc -l)" -gt 50 || echo few)"
result 'so are stages and counters' "$(test "$(for get in stage count; do named xenfork_${get}_name; done | wc -l)" -ge 27 || echo few)"
result 'stages' "$(unnamed xenfork_stage_name)"
result 'counters' "$(unnamed xenfork_count_name)"
for file; do
    result "$file" "$(missing "$file")"
done

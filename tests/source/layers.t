#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# The layers of libfork/, lowest first: a file includes its own folder's headers, and those of lower ones.

cd "${srcdir:?}/libfork" || exit 1

layers='base state host xen disk op'

echo 1..5
count=0
# result NAME WRONG
result() {
    count=$((count + 1))
    if [ -z "$2" ]; then
        echo "ok $count - $1"
    else
        echo "not ok $count - $1"
        echo "$2" | sed 's/^/# /'
    fi
}

# includes: FILE HEADER, a line each, of headers in folders
includes() {
    # shellcheck disable=SC2086 # several folders
    find $layers -name '*.[ch]' | sort | xargs awk '
        match($0, /^#include "[^"]*\/[^"]*"/) { split($0, part, "\""); print FILENAME, part[2] }'
}

strays() {
    find . -name '*.[ch]' ! -path ./xenfork.h | sed 's,^\./,,' | sort |
        grep -vE "^($(echo "$layers" | tr ' ' '|'))/"
}

upward() {
    includes | awk -v layers="$layers" '
        BEGIN { n = split(layers, name); for (i = 1; i <= n; i++) rank[name[i]] = i }
        { split($1, from, "/"); split($2, to, "/"); if (rank[to[1]] > rank[from[1]]) print $1, $2 }'
}

between_drivers() {
    includes | awk '
        { n = split($1, from, "/"); m = split($2, to, "/") }
        from[1] == "disk" && to[1] == "disk" && n == 3 && m == 3 && from[2] != to[2] { print $1, $2 }'
}

of_xen() {
    find base state host disk op -name '*.[ch]' | sort |
        xargs grep -nE '#include <(libxl|xen[a-z]*)(\.h|/)' | grep -v 'xentoollog.h'
}

# A public call begins an operation: within another it would reset the error, the cancelling and the counters.
nested() {
    names=$(tr '\n' ' ' <xenfork.h | grep -oE 'xenfork_[a-z0-9_]+\(xenfork_ctx \*ctx' |
        sed 's/(.*//' | grep -vxE 'xenfork_(close|cancel|set_progress)' | paste -sd '|')
    # shellcheck disable=SC2086 # several folders
    find $layers -name '*.c' | sort | xargs grep -nE "\\b($names)\\([^)]" |
        grep -v 'XENFORK_API'
}

result 'each file lies in the folder of a layer' "$(strays)"
result 'no include goes up' "$(upward)"
result 'no disk driver knows another' "$(between_drivers)"
result 'only xen/ includes headers of Xen' "$(of_xen)"
result 'the library does not call its own interface' "$(nested)"

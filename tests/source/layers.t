#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# The layers of libfork/, lowest first: a file includes its own folder's headers, and those of lower ones.

. "${srcdir:?}/tests/source/lib.sh"
built=${builddir:-}
cd "${srcdir:?}/libfork" || exit 1

layers='base state host xen disk op'

echo 1..7

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

# foreign: HEADER FUNCTION FILE, of functions that another folder defines than the header's
foreign() {
    # shellcheck disable=SC2086 # several folders
    find $layers -name '*.c' | sort | xargs awk '
        FNR == 1 { where = FILENAME; sub("/[^/]*$", "", where) }
        /^[a-z].*xenfork__[a-z0-9_]+\(/ && !/;$/ {
            match($0, /xenfork__[a-z0-9_]+\(/)
            print substr($0, RSTART, RLENGTH - 1), where
        }' | sort -u >"$defined"
    # shellcheck disable=SC2086 # several folders
    find $layers -name '*.h' | sort | xargs awk -v defined="$defined" '
        BEGIN { while ((getline line <defined) > 0) { split(line, part, " "); home[part[1]] = part[2] } }
        /^[a-z].*xenfork__[a-z0-9_]+\(/ && !/^(static|typedef)/ {
            match($0, /xenfork__[a-z0-9_]+\(/)
            name = substr($0, RSTART, RLENGTH - 1)
            folder = FILENAME; sub("/[^/]*$", "", folder)
            if (name in home && home[name] != folder) print FILENAME, name, home[name]
        }'
}

result 'each file lies in the folder of a layer' "$(strays)"
result 'no include goes up' "$(upward)"
result 'no disk driver knows another' "$(between_drivers)"
result 'only xen/ includes headers of Xen' "$(of_xen)"
result 'the library does not call its own interface' "$(nested)"
defined=$(mktemp)
result 'a header declares what its own folder defines' "$(foreign)"
rm -f "$defined"

# calls: FILE FILE, a line each, by the symbols that the compiled files define and need
calls() {
    find $layers -name '*.c' | sort | while read -r file; do
        for object in "$built/libfork/${file%/*}/.libs"/lib*_la-"$(basename "$file" .c)".o; do
            # shellcheck disable=SC2086 # NM may hold options
            [ ! -e "$object" ] || ${NM:-nm} -A "$object" | sed "s,^[^:]*:,$file ,"
        done
    done | awk '
        $(NF - 1) == "U" { needs[$1 " " $NF] }
        $(NF - 1) ~ /^[TDRBVW]$/ { where[$NF] = $1 }
        END {
            for (need in needs) {
                split(need, part, " ")
                if (part[2] in where && where[part[2]] != part[1])
                    print part[1], where[part[2]]
            }
        }'
}

# circles: also if there is hardly a call, as when compiled files are called otherwise by now
circles() {
    [ "$(calls | wc -l)" -gt 300 ] || echo 'hardly any calls were found'
    { calls | tsort >/dev/null; } 2>&1
}

if [ -n "$built" ] && [ -d "$built/libfork/op/.libs" ]; then
    result 'no files call each other in a circle' "$(circles)"
else
    echo 'ok 7 - no files call each other in a circle # SKIP nothing is compiled'
fi

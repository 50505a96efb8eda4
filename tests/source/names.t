#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# A static function's name says its subject: no two files of the product define the same one. A failure that a unit test
# injects is of a function that there is. A header's guard is named after its file.

. "${srcdir:?}/tests/source/lib.sh"
cd "${srcdir:?}" || exit 1

# The library, and all that is linked with it: a name in a backtrace or a log is of one file.
linked='libfork daemon keeper'
# Programs that share no code with it.
apart='xl-plugin guest hotplug'

echo 1..6

# twice FOLDER…: NAME FILE FILE, of static functions that two files define; a definition's parameters may take several lines
twice() {
    # shellcheck disable=SC2046 # no file name has a space
    awk '
        /^static / || (pending != "" && !/^[{}]/) {
            pending = /^static / ? $0 : pending " " $0
            if (pending ~ /[;=]/) { pending = ""; next }
        }
        /^{$/ && pending != "" {
            text = pending
            pending = ""
            gsub(/__attribute__\(\([^)]*\)*\)/, "", text)
            if (!match(text, /[a-z_0-9]+\(/)) next
            name = substr(text, RSTART, RLENGTH - 1)
            if (name in where && where[name] != FILENAME) print name, where[name], FILENAME
            where[name] = FILENAME
        }
        /^}/ { pending = "" }' $(find "$@" -name '*.c' | sort)
}

# shellcheck disable=SC2086 # several folders
result 'in the library, the daemon and the keeper' "$(twice $linked)"
for folder in $apart; do
    result "in $folder/" "$(twice "$folder")"
done

# unknown: names of functions that unit tests let fail, and no fake has
unknown() {
    grep -rhoE '"xenfork__[a-z0-9_]+"' tests/unit --include='test-*.c' | tr -d '"' | sort -u | while read -r name; do
        grep -rqE "(^|[ *(])$name\\(" tests/unit libfork --include='*.c' || echo "$name"
    done
}
result 'what unit tests let fail is there' "$(unknown)"

# misnamed FILE…: headers whose guard has another name than their path; in tests/ it is the file's name
misnamed() {
    awk '
        FNR == 1 {
            want = FILENAME
            if (want ~ /^tests\// || want == "libfork/xenfork.h") sub(/.*\//, "", want)
            gsub(/[-\/.]/, "_", want)
            want = toupper(want)
            lines = 0
        }
        /^#(ifndef|define) / && ++lines <= 2 && $2 != want { print FILENAME ": " $2 " is not " want }' "$@"
}
# shellcheck disable=SC2046 # no file name has a space
result 'include guards' "$(misnamed $(find libfork daemon keeper xl-plugin guest hotplug tests -name '*.h' | sort))"

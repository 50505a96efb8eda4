#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# The public header compiles alone, and the symbol map has what it declares.

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
count=0
header="${srcdir:?}/libfork/xenfork.h"

echo 1..6

result() {
    count=$((count + 1))
    if [ "$2" -eq 0 ]; then
        echo "ok $count - $1"
    else
        echo "not ok $count - $1"
        sed 's/^/# /' "$dir/message"
    fi
}

# compile NAME COMPILER...
compile() {
    name=$1
    shift
    if command -v "$1" >/dev/null; then
        "$@" -pedantic-errors -Wall -Wextra -Werror -fsyntax-only "$header" \
            2>"$dir/message"
        result "$name" $?
    else
        count=$((count + 1))
        echo "ok $count - $name # SKIP no $1"
    fi
}

# Without comments and macros, what is left of a name and "(" is a function.
declared() {
    # shellcheck disable=SC2086 # CC may hold options
    ${CC:-cc} -E -P "$header" | grep -o 'xenfork_[a-z0-9_]*(' | tr -d '(' |
        sed '/^xenfork_progress_fn$/d' | sort -u
}

# The compiler, without the options that CC may have
compile 'C99' "${CC%% *}" -std=c99 -xc
compile 'C++11' c++ -std=c++11 -xc++

declared >"$dir/declared"
grep -o 'xenfork_[a-z0-9_]*' "$srcdir/libfork/libxenfork.map" | sort -u \
    >"$dir/map"
diff "$dir/declared" "$dir/map" >"$dir/message"
result 'symbol map' $?

# In words that a page of it shows
grep -o 'B<xenfork_[a-z0-9_]*>()' "$srcdir/docs/xenfork.3.pod" |
    sed 's/.*<//; s/>.*//' | sort -u >"$dir/manual"
diff "$dir/declared" "$dir/manual" >"$dir/message"
result 'manual page' $?

grep -o '^#define XENFORK_E_[A-Z]*' "$header" | sed 's/.*_E_//' \
    >"$dir/errors"
grep -o '^=item C<[A-Z]*>$' "$srcdir/docs/xenfork.3.pod" |
    sed 's/.*<//; s/>.*//' >"$dir/manual"
diff "$dir/errors" "$dir/manual" >"$dir/message"
result 'errors in the manual page' $?

# All but those that can do nothing wrong
tested() {
    grep -o 'xenfork_[a-z0-9_]*' "$srcdir/tests/unit/op/test-api.c"
    printf 'xenfork_%s\n' code_name stage_name count_name cancel set_progress \
        error_domid error_errno error_remedy error_stage
}
tested | sort -u >"$dir/tested"
comm -23 "$dir/declared" "$dir/tested" >"$dir/message"
test ! -s "$dir/message"
result 'each is given what is not there' $?

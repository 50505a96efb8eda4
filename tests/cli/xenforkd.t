#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# The command line of xenforkd, its configuration, and what the manuals say of both.

# shellcheck source=tests/cli/lib.sh
. "${srcdir:?}/tests/cli/lib.sh"

xenforkd=${builddir:?}/daemon/xenforkd
shipped=$srcdir/daemon/xenfork.conf
conf=$dir/x.conf

# refused NAME TEXT MESSAGE: a configuration with this text is, and why
refused() {
    # shellcheck disable=SC2059 # with its \n
    printf "$2" >"$conf"
    run "$xenforkd" --config "$conf" --check-config
    check "$1: refused" is "$status" 2
    check "$1: file, line and mistake" is "$(cat "$dir/err")" "xenforkd: $conf$3"
}

# usage_error NAME ARG...
usage_error() {
    name=$1
    shift
    run "$xenforkd" "$@"
    check "$name: exit status" is "$status" 2
    check "$name: usage, on stderr" \
        is "$(wc -c <"$dir/out") $(grep -c '^Usage: xenforkd ' "$dir/err")" '0 1'
}

options_in_manual() {
    for option in $("$xenforkd" --help | grep -o -e ' --[a-z][a-z-]*'); do
        grep -q -e "B<$option>" "$srcdir/docs/xenforkd.8.pod" || {
            echo "# $option is not in docs/xenforkd.8.pod"
            return 1
        }
    done
}

# "KEY DEFAULT" of the shipped file; of the manual
shipped_defaults() {
    sed -n 's/^#\([a-z_]*\) = /\1 /p' "$shipped" | sort
}
manual_defaults() {
    sed -n -e 's/^=item B<\([a-z_]*\)>=.*/\1/p' \
        -e 's/^Default: \(C<\)*\([^.>]*\).*/\2/p' "$srcdir/docs/xenfork.conf.5.pod" |
        paste -d' ' - - | sort
}

# "KEY must be a number from MIN to MAX" of the program; of the manual
ranges() {
    for key in $(shipped_defaults | cut -d' ' -f1 | grep -v -e log_level -e ephemeral -e 'hydrate$'); do
        echo "$key = x" >"$conf"
        "$xenforkd" --config "$conf" --check-config 2>&1
    done | sed -n 's/.*:1: \(.* to [0-9]*\):.*/\1/p'
}
manual_ranges() {
    sed -n -e 's/^=item B<\([a-z_]*\)>=.*/\1/p' \
        -e 's/^Default: .*Range: \(.*\)/must be a number from \1/p' \
        "$srcdir/docs/xenfork.conf.5.pod" | grep -v -e log_level -e ephemeral -e 'hydrate$' | paste -d' ' - - | sort
}

plan 33

run "$xenforkd" --help
check 'help' is "$status $(head -n1 "$dir/out")" '0 Usage: xenforkd [OPTION…]'
run "$xenforkd" -V
check 'version' is "$status $(cut -d' ' -f1 "$dir/out")" '0 xenforkd'
cp "$dir/out" "$dir/short"
run "$xenforkd" --version
check '-V is --version' cmp -s "$dir/short" "$dir/out"
check 'every option is in the manual' options_in_manual

usage_error 'bad option' --nonsense
usage_error 'operand' x
usage_error 'no file' --config
usage_error 'worker without target' --worker freeze
run "$xenforkd" --worker nonsense 1 info 1
check 'worker of no kind' is "$status" 2
run "$xenforkd" --worker freeze 1 loud 1
check 'worker with a wrong level' is "$status" 2
run "$xenforkd" --worker freeze 1 info x
check 'worker with a wrong value' is "$status" 2

run "$xenforkd" --config "$shipped" --check-config
check 'the shipped file is good' is "$status $(cat "$dir/out" "$dir/err")" '0 '
sed 's/^#\([a-z]\)/\1/' "$shipped" >"$conf"
run "$xenforkd" --config "$conf" --check-config
check 'so it is with every key in force' is "$status $(cat "$dir/err")" '0 '
check 'its defaults are those of the manual' is "$(manual_defaults)" "$(shipped_defaults)"
check 'ranges are those of the manual' is "$(manual_ranges)" "$(ranges | sort)"
check 'the manual has a range for each number' is "$(ranges | wc -l)" 14
: >"$conf"
run "$xenforkd" -c "$conf" --check-config
check 'an empty file is good' is "$status" 0

refused 'unknown key' 'freeze = 1\nfreese = 1\n' ':2: unknown key: freese'
refused 'key given twice' 'freeze = 1\n\n#\nfreeze = 1\n' ':4: key given twice: freeze'
refused 'wrong number' 'freeze_timeout = 0' \
    ':1: freeze_timeout must be a number from 1 to 3600: 0'
refused 'wrong word' 'log_level = "all"' \
    ':1: log_level must be "error", "warning", "info" or "debug": "all"'
refused 'no value' 'freeze\n' ':1: not of the form KEY = VALUE: freeze'
rm "$conf"
run "$xenforkd" --config "$conf" --check-config
check 'a file that was named must be there' is "$status $(cat "$dir/err")" \
    "2 xenforkd: $conf: cannot be opened: No such file or directory"
echo 'freese = 1' >"$conf"
run "$xenforkd" --config "$conf"
check 'the daemon does not start with a wrong one' is "$status" 2

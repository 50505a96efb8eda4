#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# What the verbs ask of the library, print and exit with.

# shellcheck source=tests/cli/lib.sh
. "${srcdir:?}/tests/cli/lib.sh"

use_fake
export FAKE_LOG="$dir/log"

# asks WANT ARGUMENT...: WANT is the library's calls, separated by "; ".
asks() {
    want=$1
    shift
    : >"$FAKE_LOG"
    run "$xl" "$@"
    check "$*" is "$(paste -sd';' "$FAKE_LOG" | sed 's/;/; /g')" "$want"
}

# wrong ARGUMENT...: a usage error, which asks for nothing.
wrong() {
    : >"$FAKE_LOG"
    run "$xl" "$@"
    check "usage error: $*" is "$status $(wc -c <"$dir/out") \
$(grep -c -e fork -e check -e destroy "$FAKE_LOG")" '2 0 0'
}

# fails CODE STATUS ARGUMENT...
fails() {
    want=$2
    export FAKE_FAIL="$1"
    shift 2
    run "$xl" "$@"
    unset FAKE_FAIL
    check "$* fails: $want" is "$status" "$want"
}

out_has() {
    grep -q -e "$1" "$dir/out"
}

plan 74

asks 'new 1; flags 0; fork 3' fork web1
check 'exit status' is "$status" 0
check 'nothing on stderr' is "$(cat "$dir/err")" ''
check 'the stun is told' out_has 'stood still for 210 ms'
check 'a held NIC' out_has '^web1-1   5  00:16:3e:00:00:01  vif5.0  held$'
check 'how to connect it' out_has 'To connect it: ip link set vif5.0 up$'
asks 'new 1; flags 0; fork 3' -v fork 3
asks 'new 1; name 0 test; flags 0; fork 3' fork web1 test
asks 'new 2; name 0 w-1; name 1 w-2; flags 0; fork 3' fork -n 2 web1 w
asks 'new 2; flags 0; fork 3' fork web1 --count=2
check 'a clone without NICs' out_has '^web1-2   6  -  *-  *-$'
asks 'new 1; paused all 1; flags 0; fork 3' fork --paused web1
asks 'new 1; link all all 1; flags 0; fork 3' fork --net connect web1
asks 'new 1; link all all 0; flags 0; fork 3' fork --net hold web1
asks 'new 1; mac 0 0 00..0f; bridge all 0 br1; link all 0 1; flags 0; fork 3' \
    fork --nic 0,mac=00:16:3E:00:00:0f,bridge=br1,link=connect web1
asks 'new 2; bridge 1 0 a; mac 1 1 02..01; flags 0; fork 3' \
    fork -n2 --nic 0,clone=2,bridge=a --nic 1,mac=02:00:00:00:00:01,clone=2 web1
asks 'new 1; uuid 0 01..ef; flags 0; fork 3' \
    fork --uuid 01234567-89ab-CDEF-0123-456789abcdef web1
asks 'new 1; percent 100; flags 0; fork 3' fork --reserve full web1
asks 'new 1; percent 0; flags 0; fork 3' fork --reserve 0% web1
asks 'new 1; percent 100; flags 0; fork 3' fork --reserve 100% web1
asks 'new 1; kib 65536; flags 0; fork 3' fork --reserve 64 web1
asks 'new 1; timeout 90000; flags 0; fork 3' fork --timeout 90 web1
asks 'new 1; flags 1; fork 3' fork --no-hydrate web1
asks 'new 1; flags 2; fork 3' fork --keep-image web1
asks 'new 1; flags 3; fork 3' fork --keep-image --no-hydrate --verbose web1
asks 'new 1; flags 0; fork 3' fork --timings web1
check 'timings' out_has '^web1-1  *total  *1500.000$'
check 'counters' out_has '^pages_shared 10$'
asks 'new 2; flags 0; fork 3' fork --json -n 2 web1
check 'JSON: the source' out_has '"domid": 3'
check 'JSON: a clone' out_has '"uuid": "01234567-89ab-cdef-0123-456789abcdef"'
check 'JSON: timings' out_has '"stun": 210000000'
asks 'new 1; flags 0; check 3 spec' -N fork web1
check '-N: does not fork' out_has '^web1 can be forked$'

wrong fork
wrong fork web1 a b
wrong fork --nonsense web1
wrong fork -n 0 web1
wrong fork -n 1025 web1
wrong fork -n 2x web1
wrong fork -n -1 web1
wrong fork -n '' web1
wrong fork -n 18446744073709551617 web1
wrong fork --net up web1
wrong fork --nic '' web1
wrong fork --nic mac=00:16:3e:00:00:01 web1
wrong fork --nic 0,mac=00:16:3e:00:00 web1
wrong fork --nic 0,mac=00:16:3e:00:00:01:02 web1
wrong fork --nic 0,bridge= web1
wrong fork --nic 0,bridge=sixteen-letters- web1
wrong fork --nic 0,color=red web1
wrong fork --nic 0,clone=2,bridge=a web1
wrong fork -n 2 --nic 0,mac=00:16:3e:00:00:01 web1
wrong fork --uuid 01234567-89ab-cdef-0123-456789abcde web1
wrong fork --uuid 01234567-89ab-cdef-0123-456789abcdef -n 2 web1
wrong fork --reserve 101% web1
wrong fork --reserve % web1
wrong fork --timeout 0 web1
wrong fork --timeout 3601 web1
wrong fork web1 a234567890123456789012345678901234567890123456789012345678901234
wrong fork-list x
wrong fork-check
wrong fork-info
wrong fork-destroy
wrong fork-image-destroy
wrong fork-image-destroy a b
wrong fork-nonsense
wrong -N fork-destroy a

fails open:-3 1 fork web1
fails fork:-5 1 fork web1
fails fork:-24 3 fork web1
check 'the error is told once' is "$(cat "$dir/err")" \
    "$(printf 'xl: the fake fails\nxl: try the real one')"
fails none:-1 1 fork nobody

# A terminal on stderr: the bar is drawn, and wiped before the result
if command -v script >/dev/null; then
    script -qec "'$xl' fork web1" /dev/null >"$dir/out" </dev/null
    check 'progress bar' out_has \
        "sharing memory \\[####################  *\\]  50%$(printf '\r\033')"
else
    count=$((count + 1))
    echo "ok $count # SKIP no script(1) (Debian package: bsdutils)"
fi

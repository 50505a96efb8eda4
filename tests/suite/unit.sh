# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# `make check` with each compiler and each Xen's headers, in the build roots. But with --full, the tests run under the
# sanitizers alone: of the other builds the compilers' warnings are wanted, and what distcheck looks at. What waits for
# DHCP and the like runs beside the builds, and so does one build beside another: each configure keeps one processor.
# shellcheck disable=SC2154  # full: of check

# make_check NAME XEN FLAVOUR TARGET [OPTION…]
make_check() {
    local name=$1 log="$LOGS/${1//[ \/]/-}.log" start=$SECONDS status=0 numbers
    "$TOP/tests/testbed/project" --xen "$2" --flavour "$3" "${@:5}" "$4" >"$log" 2>&1 </dev/null || status=$?
    # automake's summary, the last one when there are more
    numbers=$(awk '/^# PASS:/ { p = $3 } /^# SKIP:/ { s = $3 } /^# FAIL:/ { f = $3 } /^# ERROR:/ { e = $3 }
                   END { print p + 0, f + e + 0, s + 0 }' "$log")
    # shellcheck disable=SC2086
    set -- $numbers
    if [ "$status" -ne 0 ] && [ "$2" -eq 0 ]; then
        set -- "$1" 1 "$3"
    fi
    count "$@"
    took $((SECONDS - start)) "$name"
    if [ "$status" -eq 0 ] && [ "$1" -gt 0 ]; then
        say "ok      $name: $1 passed, $3 skipped ($((SECONDS - start)) s)"
    else
        say "FAILED  $name: $log"
        grep -aE '^(not ok|FAIL|ERROR)|^[^P].*error:' "$log" | head -n 30 || tail -n 30 "$log"
        [ "$2" -gt 0 ] || count 0 1 0
    fi
}

# make_builds NAME XEN FLAVOUR TARGET [ARG…]: that all compiles, the tests too
make_builds() {
    local log="$LOGS/build,-${1//[ \/]/-}.log" start=$SECONDS
    if "$TOP/tests/testbed/project" --xen "$2" --flavour "$3" "${@:4}" TESTS= >"$log" 2>&1 </dev/null; then
        say "ok      builds, $1 ($((SECONDS - start)) s)"
        took $((SECONDS - start)) "builds, $1"
        count 1 0 0
    else
        say "FAILED  builds, $1: $log"
        grep -a 'error:' "$log" | head -n 30 || tail -n 30 "$log"
        count 0 1 0
    fi
}

# run_clients RELEASE SCRIPT: what needs real programs of a Debian: DHCP clients, managers of networks, systemd
run_clients() {
    local root log="$LOGS/${2##*/}.log" start=$SECONDS status=0 good bad left
    if ! root=$(. "$TOP/tests/testbed/lib/cache.sh" && need clients "$1") 2>"$log"; then
        say "FAILED  $2: $log"
        count 0 1 0
        return
    fi
    # shellcheck disable=SC2016  # expanded inside
    "$TOP/tests/testbed/lib/in-root" "$root" -r "$TOP:/tree" \
        sh -c 'cd /tree && srcdir=. builddir=. sh "tests/$0"' "$2" >"$log" 2>&1 </dev/null || status=$?
    # One that is skipped has failed: all that it needs is there.
    read -r good bad left <<<"$(tap_counts "$log")"
    if [ "$status" -eq 0 ] && [ "$good" -gt 0 ] && [ $((bad + left)) -eq 0 ]; then
        count "$good" 0 0
        took $((SECONDS - start)) "$2"
        say "ok      $2: $good passed ($((SECONDS - start)) s)"
    else
        count "$good" $((bad + left > 0 ? bad + left : 1)) 0
        say "FAILED  $2: $log"
        grep -aE '^not ok|# skip' "$log" | head -n 30
    fi
}

run_unit() {
    aside run_clients bookworm agent/clients.t
    aside run_clients bookworm agent/managers.t
    aside run_clients bookworm cli/systemd.t
    if [ "$full" = yes ]; then
        make_check 'unit, Debian 13, Xen 4.20, gcc, -Werror' 4.20 werror check
        make_check 'unit, Debian 13, Xen 4.20, clang, -Werror' 4.20 clang check
        make_check 'unit, Debian 12, Xen 4.17, gcc' 4.17 plain check XENFORK_TEST_ALL=1
        make_check 'unit, distcheck, Debian 13' 4.20 release distcheck
    else
        aside make_builds 'distcheck, Debian 13, Xen 4.20, clang, -Werror' 4.20 clang distcheck \
            DISTCHECK_CONFIGURE_FLAGS='--enable-test-hooks --enable-werror CC=clang'
        make_builds 'Debian 12, Xen 4.17, gcc' 4.17 plain check
    fi
    gather
    make_check 'unit, Debian 13, ASan and UBSan, -Werror' 4.20 asan check
    if [ -n "${XENFORK_XEN_HEADERS-}" ]; then
        make_check "unit, Debian 13, Xen of $XENFORK_XEN_HEADERS" 4.20 werror check --headers "$XENFORK_XEN_HEADERS"
    else
        say 'skipped unit, headers of a later Xen: XENFORK_XEN_HEADERS names no installation of its tools'
        count 0 0 1
    fi
}

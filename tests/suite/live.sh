# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Scripts of tests/live/SUBJECT/ on real Xen. A line "# live: OPTIONS" in a script says how it is run (options of
# tests/testbed/run), "# xen: VERSIONS" on which hypervisors, "# asan: yes" that 4.20 has the build with sanitizers,
# which find the same on all, "# full: VERSIONS" that it runs on these only with --full (or where it would run on none), "# needs: blktap" that dom0
# must have what tests/testbed/build was given with --blktap, and "# alone: yes" that it has the machine for itself:
# it measures time, or has many guests run at once, which takes several times as long beside another emulator.
# shellcheck disable=SC2154  # full, missing, part_at, part_of, tests, versions: of check

EMULATOR_FAULT=75 SKIPPED=77

# After such an error bash leaves the command out, assertions and all, and goes on: the script has failed.
SHELL_ERROR='^/.*: line [0-9]+: .*(syntax error|integer expression|operand expected|division by 0|command not found|unbound variable|bad array subscript|unary operator|binary operator)'

# header SCRIPT KEY DEFAULT
header() {
    local value
    value=$(sed -n "s/^# $2: *//p" "$1" | head -n 1)
    printf '%s\n' "${value:-$3}"
}

# live_one SCRIPT XEN FLAVOUR RESULT: in the background; leaves "STATUS RETRIES SECONDS" in RESULT
live_one() {
    local script=$1 xen=$2 flavour=$3 result=$4 status=0 tries=0 start=$SECONDS options
    read -ra options <<<"$(header "$script" live --source)"
    [ "$flavour" != asan ] || options+=(--asan)
    while :; do
        status=0
        "$TOP/tests/testbed/run" --xen "$xen" "${options[@]}" "$script" >"$result.log" 2>&1 </dev/null || status=$?
        [ "$status" -eq "$EMULATOR_FAULT" ] && [ "$tries" -eq 0 ] || break
        tries=1
    done
    printf "%s %s %s\n" "$status" "$tries" "$((SECONDS - start))" >"$result.new"
    mv "$result.new" "$result"
}

# live_report NAME RESULT
live_report() {
    local status tries seconds numbers broken
    read -r status tries seconds <"$2"
    took "$seconds" "$1"
    retried=$((retried + tries))
    [ "$tries" -eq 0 ] || say "retry   $1: known fault of the emulator"
    read -ra numbers <<<"$(tap_counts "$2.log")"
    broken=$(grep -aE "$SHELL_ERROR" "$2.log") || true
    if [ "$status" -eq "$SKIPPED" ] && grep -qa '^1\.\.0 # SKIP' "$2.log"; then
        numbers=(0 0 1)
    elif [ "$status" -ne 0 ] && [ "${numbers[1]}" -eq 0 ] || [ -n "$broken" ] ||
        [ $((numbers[0] + numbers[1] + numbers[2])) -eq 0 ]; then
        numbers[1]=$((numbers[1] + 1))
    fi
    count "${numbers[@]}"
    if [ "${numbers[1]}" -eq 0 ]; then
        say "ok      $1: ${numbers[0]} passed, ${numbers[2]} skipped ($seconds s)"
        grep -aE '^ok .*# SKIP|^1\.\.0 # SKIP' "$2.log" || true
    else
        say "FAILED  $1 (status $status): $2.log"
        [ -z "$broken" ] || printf '%s\n' "$broken"
        grep -aE -A12 '^not ok' "$2.log" | head -n 60 || true
        tail -n 15 "$2.log"
    fi
}

live_wanted() {
    [ ${#tests[@]} -eq 0 ] && return
    local name
    for name in "${tests[@]}"; do
        [ "${name##*/}" != "${1##*/}" ] || return 0
    done
    return 1
}

# live_lacks SCRIPT XEN: what it needs and dom0 has not
live_lacks() {
    local what
    for what in $(header "$1" needs ''); do
        [ -d "${LOGS%/*}/$what/$2" ] || printf '%s\n' "$what"
    done
}

# live_xens SCRIPT: the hypervisors that it runs on now. Where none of those that it runs on without --full could be had,
# another one stands in.
live_xens() {
    local xen now=() there=() later=()
    for xen in $(header "$1" xen '4.20 4.17'); do
        if [ "$full" = no ] && [[ " $(header "$1" full '') " = *" $xen "* ]]; then
            [[ " $versions " != *" $xen "* ]] || later+=("$xen")
            continue
        fi
        now+=("$xen")
        [[ " $versions " != *" $xen "* ]] || there+=("$xen")
    done
    if [ ${#there[@]} -eq 0 ] && [ ${#now[@]} -gt 0 ] && [[ " $missing " = *" ${now[0]} "* ]]; then
        there=("${later[@]:0:1}")
    fi
    printf '%s\n' "${there[@]}"
}

# live_list ALONE: script, hypervisor and flavour, one a line; those that may take longest first. They are dealt out
# in this order to the parts of --part.
live_list() {
    live_choose "$1" | sort -s -k 1,1nr | cut -d ' ' -f 2- | awk -v at="$part_at" -v of="$part_of" 'NR % of == at % of'
}

# live_choose ALONE: the same, each after its timeout
live_choose() {
    local script xen flavour timeout
    while read -r script; do
        live_wanted "$script" || continue
        [ "$(header "$script" alone no)" = "$1" ] || continue
        for xen in $(live_xens "$script"); do
            flavour=plain
            [ "$xen$(header "$script" asan no)" != 4.20yes ] || flavour=asan
            timeout=$(header "$script" live '' | sed -n 's/.*--timeout \([0-9]*\).*/\1/p')
            printf '%s %s %s %s\n' "${timeout:-300}" "$script" "$xen" "$flavour"
        done
    done < <(find "$TOP/tests/live" -name '*.t' | sort)
}

# Name the scripts that only --full would run.
live_left() {
    local all=()
    [ "$full" = no ] || return 0
    mapfile -t all < <(comm -13 <({ live_list yes; live_list no; } | sort) \
        <({ full=yes; live_list yes; live_list no; } | sort) | awk '{ sub(".*/", "", $1); print $1 " on " $2 ";" }')
    [ ${#all[@]} -eq 0 ] || say "left to --full: ${all[*]}"
}

# Name the scripts of a Xen that could not be had.
live_missing() {
    local versions=$missing missing='' script xen flavour
    while read -r script xen flavour; do
        say "skipped live, Xen $xen, ${script##*/}: no such hypervisor here"
        count 0 0 1
    done < <(live_list yes; live_list no)
}

run_live() {
    if [ ${#tests[@]} -gt 0 ] && [ -z "$(live_list yes; live_list no)" ]; then
        say "FAILED  none of these scripts runs on${versions:- any Xen}: ${tests[*]}"
        count 0 1 0
    fi
    live_missing
    live_left
    live_run yes 1
    live_run no "${XENFORK_CHECK_JOBS:-2}"
}

# live_run ALONE JOBS
live_run() {
    local script xen flavour name result lacking running=() names=()
    while read -r script xen flavour; do
        lacking=$(live_lacks "$script" "$xen")
        if [ -n "$lacking" ]; then
            say "skipped live, Xen $xen, ${script##*/}: needs $lacking, see tests/testbed/README.md"
            count 0 0 1
            continue
        fi
        name="live, Xen $xen, ${script##*/}${flavour/plain/}"
        name=${name/.tasan/.t, ASan and UBSan}
        result="$LOGS/live-$xen-$flavour-${script##*/}"
        rm -f "$result"
        if [ ${#running[@]} -ge "$2" ]; then
            wait -n "${running[@]}" || true
            live_collect
        fi
        live_one "$script" "$xen" "$flavour" "$result" &
        running+=($!) names+=("$name|$result")
    done < <(live_list "$1")
    while [ ${#running[@]} -gt 0 ]; do
        wait -n "${running[@]}" || true
        live_collect
    done
}

# Report those that have ended.
live_collect() {
    local i
    for i in "${!running[@]}"; do
        [ -e "${names[i]##*|}" ] || continue
        wait "${running[i]}" || true
        live_report "${names[i]%%|*}" "${names[i]##*|}"
        unset "running[i]" "names[i]"
    done
    running=(${running[@]+"${running[@]}"}) names=(${names[@]+"${names[@]}"})
}

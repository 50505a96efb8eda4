# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Shared by all live scripts. A script begins with
#     . "$(dirname "$0")/../lib/lib.sh"
# reports with ok, fail, is, and ends with done_testing. Every wait has an end.

# shellcheck disable=SC2034  # for scripts
LIVE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
ask_sequence=$RANDOM
# After a power cut it goes on.
read -r tests_run tests_failed notes <<<"${POWER_CUT:-0 0}"

# Results, in TAP.

diag() { printf '%s\n' "$*" | sed 's/^/# /'; }

ok() {
    tests_run=$((tests_run + 1))
    printf 'ok %d - %s\n' "$tests_run" "$1"
}

# fail TEXT [DIAGNOSTIC…]
fail() {
    tests_run=$((tests_run + 1)) tests_failed=$((tests_failed + 1))
    printf 'not ok %d - %s\n' "$tests_run" "$1"
    [ $# -lt 2 ] || diag "${@:2}"
}

# check TEXT COMMAND [ARG…]: passes when the command succeeds
check() {
    local output
    if output=$("${@:2}" 2>&1); then ok "$1"; else fail "$1" "status $?: ${*:2}" "$output"; fi
}

# is TEXT GOT WANTED
is() {
    if [ "$2" = "$3" ]; then ok "$1"; else fail "$1" "got:    $2" "wanted: $3"; fi
}

# isnt TEXT GOT UNWANTED: no answer is not another one
isnt() {
    if [ -n "$2" ] && [ "$2" != "$3" ]; then ok "$1"; else fail "$1" "got: $2"; fi
}

# at_least TEXT GOT MINIMUM, for whole numbers
at_least() {
    if [ "${2:--1}" -ge "$3" ]; then ok "$1"; else fail "$1" "got:      $2" "at least: $3"; fi
}

# says_no REASON COMMAND [ARG…]: the command fails, and says that (a regular expression)
says_no() {
    local output
    if output=$("${@:2}" 2>&1); then return 1; fi
    printf '%s\n' "$output"
    grep -qE "$1" <<<"$output"
}

# killed_fork TEXT STAGE SOURCE CLONE [OPTION…]: a fork that dies there
killed_fork() {
    local status=0
    # bash would say that it was killed.
    { XENFORK_TEST_KILL=$2 timeout 120 xl fork "${@:5}" "$3" "$4" >/dev/null 2>&1 || status=$?; } 2>/dev/null
    is "$1 dies by signal 9" "$status" 137
}

# no_image: neither a record of one nor its domain; no answer is not none
no_image() {
    [ "$(xl fork-list --json | jq '[.[] | select(.kind == "image")] | length')" = 0 ] &&
        [ "$(xl list | awk 'NR > 1 && $1 ~ /@fork-/ { n++ } END { print NR ? n + 0 : "none" }')" = 0 ]
}

skip_all() {
    printf '1..0 # SKIP %s\n' "$*"
    exit 77
}

# Xen's own xl, for what ours refuses.
xens_xl() { "$(find /usr/sbin/xl /usr/lib/xen-*/bin/xl 2>/dev/null | head -n 1)" "$@"; }

done_testing() {
    printf '1..%d\n' "$tests_run"
    if [ "$tests_run" -eq 0 ] || [ "$tests_failed" -gt 0 ]; then
        diag "$tests_failed of $tests_run failed"
        exit 1
    fi
    exit 0
}

# power_cut [NOTE…]: ends the script, which is run again on the machine as it comes up, with the notes in $notes
power_cut() {
    printf '%s ' "$tests_run" "$tests_failed" "$@" >/run/testbed-power-cut
    exit 0
}

bail_out() {
    printf 'Bail out! %s\n' "$*"
    exit 1
}

# json FILTER: of standard input, bare; empty where there is nothing
json() { jq -r "$1 // empty"; }

# wait_until SECONDS COMMAND [ARG…]
wait_until() {
    local end=$((SECONDS + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        [ "$SECONDS" -lt "$end" ] || return 1
        sleep 0.1
    done
}

# Guests.

STORE=/usr/libexec/xenfork/test-store

domid_of() { "$STORE" domid "$1"; }
# Seconds of CPU that a domain has had
cpu_time() { xl list "$1" | awk 'NR == 2 { print $6 }'; }

# domain DOM: its domid, whether DOM is a name or already a domid
domain() {
    case $1 in '' | *[!0-9]*) domid_of "$1" ;; *) printf '%s\n' "$1" ;; esac
}

# start_source [NAME [MEMORY [CONFIG-LINE…]]]: a guest like `source`, unless it runs already
start_source() {
    local name=${1:-source} memory=${2:-128} config disk
    [ -z "$(domid_of "$name")" ] || return 0
    config=$(mktemp) disk=/data/$name.img
    [ -e "$disk" ] || cp --reflink=auto /usr/share/xenfork-guest/disk.img "$disk"
    sed -e "s/^name = .*/name = \"$name\"/" -e "s|/data/source.img|$disk|" \
        -e "s/^memory = .*/memory = $memory/" \
        -e "s/^maxmem = .*/maxmem = $memory/" /etc/xen/source.cfg >"$config"
    [ $# -le 2 ] || printf '%s\n' "${@:3}" >>"$config"
    timeout 120 xl create -q "$config" || bail_out "cannot start $name"
    rm -f "$config"
    wait_tick "$name" 4 120 || bail_out "$name does not tick"
}

tick() { "$STORE" read "$1" data/tick; }

# wait_tick DOM N [SECONDS]
wait_tick() { "$STORE" at-least "$1" data/tick "$2" "${3:-60}"; }

# ticks_on DOM [SECONDS]: whether the guest is alive: its tick advances
ticks_on() {
    local now
    now=$(tick "$1") || return 1
    wait_tick "$1" "$((now + 3))" "${2:-30}"
}

# ask DOM COMMAND [ARG…]: the guest's answer in JSON, through xenstore
ask() {
    ask_sequence=$((ask_sequence + 1))
    if ! "$STORE" ask "$1" "$$.$BASHPID.$ask_sequence" "${ASK_SECONDS:-30}" "${@:2}"; then
        diag "no answer of $1 to: ${*:2}"
        return 1
    fi
}

# ask_net ADDRESS COMMAND [ARG…]: the same over TCP
ask_net() {
    # shellcheck disable=SC2016  # expanded inside; nc would wait on after the answer
    timeout "${ASK_SECONDS:-30}" bash -c '
        exec 3<>"/dev/tcp/$1/77" && printf "%s\n" "$2" >&3 && IFS= read -r answer <&3 &&
            printf "%s\n" "$answer"' ask_net "$1" "${*:2}"
}

# start_agent DOM: a guest has none until it is asked to: what its clones' agents do keeps the emulator busy, and
# a dozen of them take a hook's 60 seconds
start_agent() {
    ask "$1" 'sh xenfork-agent --hook-timeout 300 watch >/run/observe/agent.log 2>&1 &' >/dev/null || bail_out "no agent in $1"
}

# held VIF: whether all of its frames are dropped, in either direction
held() {
    tc filter show dev "$1" ingress | grep -q 'action drop' && tc filter show dev "$1" egress | grep -q 'action drop'
}

# field DOM NAME: of the guest's present view
field() { ask "$1" view | json ".$2"; }

# clock_behind DOM: "LOW HIGH", how many seconds its clock is behind dom0's, at least and at most
clock_behind() {
    local before time after
    before=$(date +%s.%N) time=$(field "$1" time) after=$(date +%s.%N)
    awk -v before="$before" -v time="$time" -v after="$after" 'BEGIN { print before - time, after - time }'
}

# same_clock DOM DOM: to a second, as far as can be seen
same_clock() {
    awk -v one="$(clock_behind "$1")" -v two="$(clock_behind "$2")" 'BEGIN {
        split(one, a); split(two, b); exit !(a[1] <= b[2] + 1 && b[1] <= a[2] + 1) }'
}

# info NAME FILTER: of what xl fork-info says of an image or a clone
info() { xl fork-info --json "$1" | json ".[0]$2"; }

# cost RESULT: of what xl fork --json has said, in ms
cost() {
    jq -r '(.timings_ns | "prepare \(.prepare / 1e5 | round / 10), disks \(.disks / 1e5 | round / 10), stun \(.stun / 1e5 | round / 10)"),
        "clone \(.clones[0].timings_ns.create / 1e5 | round / 10) ms; processes \(.counters.processes)"' <<<"$1" | paste -sd', '
}

is_empty() { [ -z "$(ls -A "$1")" ]; }

# The host: what must be as before once all is undone.

# snapshot_of_host [FOLDER…]: one line a thing
snapshot_of_host() {
    xl list | awk 'NR > 1 { print "domain", $1, $2 }'
    # Domains that xl does not list properly are there all the same.
    xenstore-list /local/domain 2>/dev/null | sort -n | sed 's/^/xenstore domain /'
    xenstore-list /vm 2>/dev/null | sort | sed 's/^/xenstore vm /'
    xenstore-list /libxl 2>/dev/null | sort -n | sed 's/^/xenstore libxl /'
    local folder
    for folder in "$@"; do
        find "$folder" 2>/dev/null | sort | sed 's/^/file /'
    done
    losetup -n -O NAME,BACK-FILE -l | sort | sed 's/^/loop /'
    awk '{ print "mount", $2 }' /proc/mounts | sort
    find /sys/class/net -mindepth 1 -maxdepth 1 -name 'vif*' -printf 'interface %f\n' | sort
    # Programs, not kernel threads nor this script's own.
    local processes own=${0##*/}
    processes=$(ps -eo ppid=,comm=)
    awk -v own="${own:0:15}" '$1 != 2 && $2 != own && $2 !~ /^(ps|bash|sh|kthreadd)$/ { print "process", $2 }' \
        <<<"$processes" | sort | uniq -c | sed 's/^ *//'
}

# same_host TEXT BEFORE AFTER
same_host() {
    if [ "$2" = "$3" ]; then
        ok "$1"
    else
        fail "$1" "$(diff <(printf '%s\n' "$2") <(printf '%s\n' "$3"))"
    fi
}

# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Shared by the scripts on refusals: refuse.t, refuse-guest.t, stock.t.
#
# A refusal leaves nothing but the empty directory that the state's locks were in.

host() {
    snapshot_of_host /var/lib/xenfork /data /var/lib/xen | grep -vE '^file /var/lib/xenfork(/(locks|journals))?$'
}

# guest_of DOM: what a refusal must not touch
guest_of() {
    local flags
    flags=$(xl list "$1" 2>/dev/null | awk 'NR == 2 { print $5 }')
    # Running and blocked are the same to us.
    printf '%s %s %s control: %s\n' "$1" "$(domid_of "$1")" "${flags//[rb]/-}" \
        "$(xenstore-read "/local/domain/$(domid_of "$1")/control/shutdown" 2>/dev/null)"
}

# remember [DOM]: the host and the domain as they must be afterwards
remember() {
    subject=${1:-source}
    host_before=$(host) guest_before=$(guest_of "$subject") claims_before=$(xl info outstanding_claims)
}

# untouched TEXT. A claim falls with each page that the guest comes to own, so it may be a little less.
untouched() {
    local claims
    same_host "$1: host and guest are as before" "$host_before
$guest_before" "$(host)
$(guest_of "$subject")"
    claims=$(xl info outstanding_claims)
    if [ "$claims" -le "$claims_before" ] && [ "$claims" -ge $((claims_before - 16)) ]; then
        ok "$1: claimed memory is as before"
    else
        fail "$1: claimed memory is as before" "before: $claims_before MiB, now: $claims MiB"
    fi
}

# An image may go by its keeper's hand, a moment after its last clone.
nothing_of_ours() { [ "$(xl fork-list --json | json length)" = 0 ]; }

# says TEXT STATUS WHAT REMEDY COMMAND…: it fails with two lines; both are regular expressions
says() {
    local text=$1 wanted=$2 what=$3 remedy=$4 status=0 output lines
    shift 4
    output=$(timeout 120 "$@" 2>&1 >/dev/null) || status=$?
    mapfile -t lines <<<"$output"
    is "$text: exit status" "$status" "$wanted"
    if [[ ${#lines[@]} -eq 2 && ${lines[0]} =~ ^xl:\ .*$what && ${lines[1]} =~ ^xl:\ .*$remedy ]]; then
        ok "$text: says what, and what to do"
    else
        fail "$text: says what, and what to do" "got:" "$output" "wanted: $what" "wanted: $remedy"
    fi
}

# code TEXT CODE COMMAND…: the answer of a check as JSON carries it
code() {
    local text=$1 wanted=$2 status=0 output exit=1
    shift 2
    [ "$wanted" != HOSTMEM ] || exit=4
    output=$(timeout 60 "$@" 2>/dev/null) || status=$?
    is "$text: the check says so" "$status $(json '.can_fork == false' <<<"$output") $(
        json "first(.reasons[] | select(.code == \"$wanted\" and .text != \"\" and .remedy != \"\") | .code)" \
            <<<"$output")" "$exit true $wanted"
}

# refused TEXT CODE WHAT REMEDY [OPTION…] DOMAIN [NAME]: by fork and by check, and nothing is touched
refused() {
    says "$1" 1 "domain $(domid_of "$subject") cannot be forked: .*$3" "$4" xl fork "${@:5}"
    code "$1" "$2" xl -N fork --json "${@:5}"
    untouched "$1"
}

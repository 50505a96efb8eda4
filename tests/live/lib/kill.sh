# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Shared by the scripts on killed forks: kill.t, kill-late.t, kill-keeper.t, kill-random.t.
#
# A killed fork leaves the host as it was, with these exceptions, which any fork leaves: the empty directories
# locks, images, clones, frozen and journals of the state, and .xenfork beside a source's disks. And Xen's own exception: before
# 4.20 the process that `xl create` leaves to watch a domain ends when the domain is suspended.

# Domains of clones go with their devices: that takes hotplug scripts, in the emulator some 15 s.
UNDO_SECONDS=60

host() {
    snapshot_of_host /var/lib/xenfork /data /var/lib/xen |
        grep -vE '^file (/var/lib/xenfork(/(locks|images|clones|frozen|journals))?|/data/\.xenfork)$|^[0-9]+ process xl$'
}

flags_of() { xl list "$1" | awk 'NR == 2 { print $5 }'; }

# MiB free, and MiB claimed
free_mib() { xl info free_memory; }
claimed_mib() { xl info outstanding_claims; }

as_before() { [ "$(host)" = "$host_before" ]; }

# The source's nodes about itself: with its first fork it gets a role, and keeps it.
told() { xenstore-ls "/local/domain/$(domid_of source)/fork" 2>/dev/null; }

# remember: the host and the source as they must be afterwards
remember() {
    wait_tick source 4 60 || bail_out "the source does not tick"
    domid_before=$(domid_of source) token_before=$(field source token) told_before=$(told)
    free_before=$(free_mib) host_before=$(host)
    [ -n "$token_before" ] || bail_out "the source has no token"
    [ "$(claimed_mib)" = 0 ] || bail_out "memory is claimed already"
}

# same_memory TEXT: nothing claimed, and what is free is free again but for 4 MiB
same_memory() {
    local free claimed
    free=$(free_mib) claimed=$(claimed_mib)
    if [ "$claimed" -eq 0 ] && [ "$free" -ge $((free_before - 4)) ]; then
        ok "$1"
    else
        fail "$1" "free: $free MiB, before: $free_before" "claimed: $claimed MiB"
    fi
}

# same_source TEXT: it runs, neither paused nor shut down, as the same domain and the same guest
same_source() {
    local flags
    flags=$(flags_of source)
    case $flags in
        '' | *[psd]*) fail "$1: the source runs" "state: $flags" ;;
        *) is "$1: the source is the same guest" "$(domid_of source) $(field source token)" \
            "$domid_before $token_before" ;;
    esac
}

# all_as_before TEXT: now
all_as_before() {
    same_host "$1: the host is as before" "$host_before" "$(host)"
    same_memory "$1: so is its memory"
}

# undone TEXT: nobody calls us, and soon all is as before
undone() {
    local start=$SECONDS
    wait_until "$UNDO_SECONDS" as_before
    diag "$1: undone after $((SECONDS - start)) s"
    all_as_before "$1"
}

# killed_at STAGE [NAME]: a fork that dies there
killed_at() { killed_fork "$1: the fork" "$1" source "${2:-k}"; }

# kill_stage STAGE: the fork is killed, and its keeper undoes it
kill_stage() {
    killed_at "$1"
    check "$1: the source ticks on" ticks_on source 20
    undone "$1"
    same_source "$1"
    is "$1: it is told what it was told before" "$(told)" "$told_before"
}

# fork_works NAME: a fork like any other, and its end
fork_works() {
    check "the next fork succeeds" timeout 120 xl fork source "$1"
    check "its clone runs" wait_tick "$1" "$(($(tick source) + 1))" 60
    check "it is destroyed" timeout 60 xl fork-destroy "$1"
    undone "after it"
    same_source "after it"
}

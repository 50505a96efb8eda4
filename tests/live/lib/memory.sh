# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A host with little memory, for live scripts; after lib.sh.

hydrated() { [ "$(info "$1" .hydrated_percent)" = 100 ]; }
reserved_mib() { xl fork-memory --json | json ".domains[] | select(.name == \"$1\") | .reserved_kib / 1024 | floor"; }
free_mib() { xl info | awk '/^free_memory/ { print $3 }'; }

# leave MIB [NAME]: so much memory of the host; a domain of that name, `hog`, which does not run, has the rest
leave() {
    sed -n '/^kernel/p' /etc/xen/source.cfg >/tmp/hog.cfg
    printf '%s\n' "name = \"${2:-hog}\"" 'type = "pvh"' "memory = $(($(free_mib) - $1))" >>/tmp/hog.cfg
    xl create -q -p /tmp/hog.cfg
}
# leave_least MIB: as little as that, or more: what xl create itself takes differs between Xens
leave_least() {
    local mib
    for mib in "$1" $(($1 + 2)) $(($1 + 4)) $(($1 + 8)) $(($1 + 14)) $(($1 + 20)); do
        leave "$mib" 2>/dev/null && return
        wait_until 10 eval '[ -z "$(domid_of hog)" ]'
    done
    return 1
}

image() { xl fork-list --json | json '.[] | select(.kind == "image") | .name'; }

# state_of CLONE: as xl fork-list says
state_of() { xl fork-list --json | json ".[] | select(.name == \"$1\") | .state"; }

is_paused() { [ "$(state_of "$1")" = 'paused: memory' ]; }
runs() { [ "$(state_of "$1")" = running ]; }

# fill DOM MIB: with what nobody else has, all of which is then read back
fill() { ask "$1" "fill $2" >/dev/null; }
# filled DOM: "PAGES WRONG GAP_MS" when that is done: how many pages, words that were not read as written, and the longest
# time in which nothing went on, as the guest has seen it
filled() { xenstore-read "/local/domain/$(domid_of "$1")/data/filled" 2>/dev/null | grep .; }
# wait_filled SECONDS DOM: with few looks, which cost the emulator what the guest needs
wait_filled() {
    local end=$((SECONDS + $1))
    until filled "$2" >/dev/null; do
        [ $SECONDS -lt $end ] || return 1
        sleep 2
    done
}
# filled_right CLONE MIB
filled_right() {
    local pages wrong gap
    read -r pages wrong gap <<<"$(filled "$1")"
    is "$1: all that it has written is right" "${pages:-no} pages, ${wrong:-no} words wrong" "$(($2 * 256)) pages, 0 words wrong"
    diag "$1 saw a gap of ${gap:-no} ms"
    [ "${gap:-0}" -le "${longest_gap:-0}" ] || longest_gap=$gap
}

# Guests run for 0.1 s before another one does: their timers cost the emulator more than what many of them do.
switch_rarely() { xl sched-credit2 -s -r 100000; }

# can_fill DOM: how many MiB, as the guest has memory for that and still works on
can_fill() { echo $(($(field "$1" free_kib) / 1024 - 16)); }
# begin CLONE MIB: it is asked while it is paused, and writes as soon as it runs
begin() {
    xenstore-write "/local/domain/$(domid_of "$1")/data/ask" "$1 fill $2"
    xl unpause "$1"
}

# What must never be, whatever happens to memory: a guest or a disk that failed.
crashed() { xl list | awk 'NR > 1 && $5 ~ /c/' | grep -q . || xl dmesg | grep -qi 'domain_crash\|no helper'; }
failures() { dmesg | grep -ci 'I/O error'; }

# watch_ticks DOM FILE [SECONDS]: in the background, until the guest is gone, with so much between two looks; FILE has the
# longest time without a tick, in ms
watch_ticks() {
    (
        domid=$(domid_of "$1") last='' since=$(date +%s%3N) most=0
        while tick=$("$STORE" read "$domid" data/tick 2>/dev/null); do
            now=$(date +%s%3N)
            [ $((now - since)) -le $most ] || { most=$((now - since)) && echo $most >"$2"; }
            [ "$tick" = "$last" ] || { last=$tick && since=$now; }
            sleep "${3:-0.3}"
        done
    ) &
}

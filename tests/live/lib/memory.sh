# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A host with little memory, for live scripts; after lib.sh.

hydrated() { [ "$(info "$1" .hydrated_percent)" = 100 ]; }
free_mib() { xl info | awk '/^free_memory/ { print $3 }'; }

# leave MIB [NAME]: so much memory of the host; a domain of that name, `hog`, which does not run, has the rest
leave() {
    sed -n '/^kernel/p' /etc/xen/source.cfg >/tmp/hog.cfg
    printf '%s\n' "name = \"${2:-hog}\"" 'type = "pvh"' "memory = $(($(free_mib) - $1))" >>/tmp/hog.cfg
    xl create -q -p /tmp/hog.cfg
}

# state_of CLONE: as xl fork-list says
state_of() { xl fork-list --json | json ".[] | select(.name == \"$1\") | .state"; }

is_paused() { [ "$(state_of "$1")" = 'paused: memory' ]; }
runs() { [ "$(state_of "$1")" = running ]; }

# fill DOM MIB: with what nobody else has, all of which is then read back
fill() { ask "$1" "fill $2" >/dev/null; }
# filled DOM: "PAGES WRONG GAP_MS" when that is done: how many pages, words that were not read as written, and the longest
# time in which nothing went on, as the guest has seen it
filled() { xenstore-read "/local/domain/$(domid_of "$1")/data/filled" 2>/dev/null | grep .; }
# filled_right CLONE MIB
filled_right() {
    local pages wrong gap
    read -r pages wrong gap <<<"$(filled "$1")"
    is "$1: all that it has written is right" "${pages:-no} pages, ${wrong:-no} words wrong" "$(($2 * 256)) pages, 0 words wrong"
    diag "$1 saw a gap of ${gap:-no} ms"
    [ "${gap:-0}" -le "${longest_gap:-0}" ] || longest_gap=$gap
}

# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Clones made with --ephemeral, for live scripts; after lib.sh and xenforkd.sh.

listed() { xl fork-list --json | jq -r ".[] | select(.name == \"$1\") | .state"; }
is_removed() { [ "$(xl fork-list --json | jq "[.[] | select(.name == \"$1\")] | length")" = 0 ] && [ ! -e "$2" ]; }
disk_of() { info "$1" '.disks[0].path'; }
has_other_domid() { [ -n "$(domid_of "$1")" ] && [ "$(domid_of "$1")" != "$2" ]; }
# removed TEXT NAME DISK
removed() {
    local start=$SECONDS
    check "$1" wait_until 60 is_removed "$2" "$3"
    diag "after $((SECONDS - start)) s: $(daemon_noted ephemeral)"
    # shellcheck disable=SC2154 # of xenforkd.sh
    is_removed "$2" "$3" || bail_out "it stays: $(tail -n 80 "$daemon_log")"
}

#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# How many clones of the test bed's guest a host of 3 GiB holds, of which dom0 has one, when each has written 0, 10 or 30 % of
# its memory: with --reserve full and no xenforkd, and by default, with xenforkd, which would pause clones with more. They do
# not run: it is dom0 that makes pages their own, as a write does.
#     tests/testbed/run --source --timeout 3000 tests/bench/density.sh [RESERVE:PERCENT…]
# live: --source --timeout 3000
. "$(dirname "$0")/../live/lib/lib.sh"
. "$LIVE/xenforkd.sh"
. "$LIVE/memory.sh"

MIB=128 LOW=64 MOST=400
[ $# -gt 0 ] || set -- full:0 full:10 full:30 default:0 default:10 default:30 0:0 0:10 0:30

clones() { xl fork-list --json | json '.[] | select(.kind == "clone") | .name'; }
# write_some PERCENT CLONE…: as long as xenforkd would let them; how many
write_some() {
    local pages=$((MIB * 256 * $1 / 100)) clone done=0
    for clone in "${@:2}"; do
        [ $pages = 0 ] || /usr/libexec/xenfork/test-write "$(domid_of "$clone")" $pages >/dev/null || break
        [ "$reserve" = full ] || [ "$(free_mib)" -ge $LOW ] || break
        done=$((done + 1))
    done
    echo $done
}
# fork_some COUNT NUMBER: their names; less and less of them, when they do not fit
fork_some() {
    local count=$1 args=()
    [ "$reserve" = default ] || args=(--reserve "$reserve")
    while [ "$count" -gt 0 ]; do
        if timeout 600 xl fork --paused "${args[@]}" -n "$count" "$(image)" "c$2" >/dev/null 2>/tmp/refused; then
            [ "$count" -gt 1 ] || { echo "c$2" && return; }
            seq -f "c$2-%g" "$count"
            return
        fi
        count=$((count / 2))
    done
}
# holds PERCENT
holds() {
    local made=0 batch=8 started=$SECONDS before some wrote why=''
    # The source's own share is not a clone's.
    timeout 100 xl fork --paused --reserve 0 source first >/dev/null || return
    wait_until 100 hydrated first
    # The guard gives back what the source need not have in reserve.
    if [ "$reserve" != full ]; then
        start_daemon
        lowered() { [ "$(reserved_mib source)" -le $((MIB / 4)) ]; }
        wait_until 60 lowered
    fi
    before=$(free_mib)
    while [ $made -lt $MOST ]; do
        mapfile -t some < <(fork_some $batch "$made")
        [ ${#some[@]} -gt 0 ] || { why=$(head -n 1 /tmp/refused) && break; }
        wait_until 300 hydrated "${some[-1]}"
        wrote=$(write_some "$1" "${some[@]}")
        made=$((made + wrote))
        [ "$wrote" = ${#some[@]} ] || { why='the next writes more than there is' && break; }
        batch=${#some[@]}
    done
    printf '%s\n' "--reserve $reserve, $1 % written: $made clones; $before MiB free before, $(free_mib) after; $((SECONDS - started)) s; $why"
    [ "$reserve" = full ] || stop_daemon
    # shellcheck disable=SC2046  # names
    xl fork-destroy $(clones) >/dev/null 2>&1
    xl fork-image-destroy "$(image)" >/dev/null 2>&1
}

printf '%s\n' "$(free_mib) MiB free, the source runs"
for case in "$@"; do
    reserve=${case%:*}
    holds "${case#*:}"
done

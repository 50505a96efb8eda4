#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The host loses power a dozen times, at random instants of each verb, with disks and records on XFS and on ext4:
# nothing that was reported as done is lost, nothing is there by half, and no disk is without what was acknowledged.
# power-cut.t [SEED]
# live: --source --timeout 1900
# full: 4.17 4.20
. "$(dirname "$0")/lib.sh"
. "$LIVE/ext4.sh"

verbs=(fork freeze thaw detach destroy start)
# The longest that each has been seen to take, in ms.
declare -A longest=([fork]=5000 [freeze]=2500 [thaw]=2000 [detach]=9000 [destroy]=3000 [start]=8000)
read -r cut seed delay outcome acked acked_clone <<<"${notes:-}"
cut=${cut:--1} seed=${seed:-${1:-$RANDOM}}

# on_fs CUT: what is different there
on_fs() {
    verb=${verbs[$1 % ${#verbs[@]}]}
    if [ "$1" -lt ${#verbs[@]} ]; then
        fs=XFS name=source disk=/data/source.img ours=/data/.xenfork state=/data/state
    else
        fs=ext4 name=src disk=/mnt/e/src.img ours=/mnt/e/.xenfork state=/mnt/e/state
    fi
}

mount_all() {
    if [ "$fs" = ext4 ]; then
        mkdir -p /mnt/e
        mount -o loop /data/e.ext4 /mnt/e || bail_out 'cannot mount'
    fi
    mkdir -p "$state" /var/lib/xenfork
    mount --bind "$state" /var/lib/xenfork || bail_out 'cannot mount the records'
}

start_it() { if [ "$fs" = XFS ]; then start_source; else start_behind src "$disk"; fi; }
clones() { xl fork-list --json | jq -c '[.[] | select(.kind == "clone") | .name]'; }

# What of a cut disk is written elsewhere is read with it.
raw() { if [ "$fs" = XFS ]; then printf '%s\n' "$1"; else "$BLOCK" attach "$1" r; fi; }
# whole WHAT PATH ACKED: a disk without a domain
whole() {
    local seen
    seen=$("$LIVE/check-disk" "$(raw "$2")")
    [ "$fs" = XFS ] || "$BLOCK" detach "$2"
    is "$1: no damage" "$(jq -c .errors <<<"$seen")" '[]'
    at_least "$1: all that was acknowledged" "$(json .highest <<<"$seen")" "$3"
}

left() {
    printf '%s %s %s\n' "$(xl fork-list --json | jq -c '[.[].name]')" \
        "$(find /var/lib/xenfork/txn -type f 2>/dev/null | wc -l)" \
        "$(find "$ours" -type f ! -path '*/pool/*' ! -name '*.head' 2>/dev/null | wc -l)"
}
nothing_left() { [ "$(left)" = '[] 0 0' ]; }

# after: the host has come up
after() {
    local what="$fs, $verb cut after $delay ms ($outcome)" there
    diag "cut $cut: $what"
    check "$what: recovered" timeout 120 xl fork-recover
    is "$what: no journal" "$(find /var/lib/xenfork/txn -type f | wc -l)" 0
    there=$(clones)
    case $verb:$outcome:$there in
    fork:ended:'["c"]' | fork:begun:'[]' | fork:begun:'["c"]' | destroy:ended:'[]' | destroy:begun:'[]' | destroy:begun:'["c"]') ok "$what: $there" ;;
    detach:*:'["c"]' | start:*:'["c"]' | freeze:*:'[]' | thaw:*:'[]') ok "$what: $there" ;;
    *) fail "$what: done, or not" "$there" ;;
    esac
    whole "$what, source" "$disk" "$acked"
    # A record outlives its disk until its destruction is repeated.
    if [ "$there" != '[]' ]; then
        [ "$verb" = destroy ] || whole "$what, clone" "$(info c '.disks[0].path')" "${acked_clone:-$acked}"
        check "$what: the clone is destroyed" timeout 120 xl fork-destroy --yes c
    fi
    if wait_until 60 nothing_left; then
        ok "$what: nothing is left"
    else
        fail "$what: nothing is left" "$(left)" "$(find "$ours")"
    fi
}

# ready: what the verb acts on; what is acknowledged by then
ready() {
    start_it
    ask "$name" 'pace 20' >/dev/null
    is "$fs, $verb: the source's disk is whole" "$(ask "$name" verify | json .errors)" 0
    case $verb in
    detach | destroy | start)
        check "$fs, $verb: there is a clone" timeout 120 xl fork "$name" c
        wait_until 60 ticks_on c || fail 'it ticks on'
        acked_clone=$(field c acked)
        ;;
    esac
    acked=$(field "$name" acked)
    case $verb in
    thaw) check "$fs: frozen" timeout 120 xl fork-freeze "$name" ;;
    start) xl destroy c ;;
    esac
}

act() {
    case $verb in
    fork) xl fork "$name" c ;;
    freeze) xl fork-freeze "$name" ;;
    thaw) xl fork-thaw "$name" ;;
    detach) xl fork-detach --wait c ;;
    destroy) xl fork-destroy --yes c ;;
    start) xl fork-start c ;;
    esac
}

# begin: begins it, and cuts
begin() {
    rm -f /run/done
    { act && : >/run/done; } >/run/said 2>&1 </dev/null &
    RANDOM=$((seed + cut * 7))
    delay=$((RANDOM * ${longest[$verb]} / 32768))
    sleep "$((delay / 1000)).$(printf '%03d' $((delay % 1000)))"
    outcome=begun
    [ ! -e /run/done ] || outcome=ended
    power_cut "$cut" "$seed" "$delay" "$outcome" "${acked:-0}" "${acked_clone:-}"
}

if [ "$cut" -lt 0 ]; then
    diag "seed $seed"
else
    on_fs "$cut"
    mount_all
    after
    if [ "$verb" = start ] && [ "$fs" = XFS ]; then
        umount /var/lib/xenfork
    fi
fi
cut=$((cut + 1)) acked_clone=''
[ "$cut" -lt $((2 * ${#verbs[@]})) ] || done_testing
was_on=${fs:-}
on_fs "$cut"
if [ "$fs" != "$was_on" ]; then
    if [ "$fs" = ext4 ]; then
        ext4_at /mnt/e 500
        umount /mnt/e
    fi
    mount_all
    [ "$fs" = XFS ] || disk_at "$disk"
    sync
fi
ready
begin

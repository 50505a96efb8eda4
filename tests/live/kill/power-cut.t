#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The host loses power at random instants of each verb, with disks and records on XFS, ext4 and btrfs: nothing that was
# reported as done is lost, nothing is there by half, and no disk is without what was acknowledged.
# power-cut.t [SEED [CUTS-OF-EACH]]: so many of each verb on each file system, at most 16; 2 unless told otherwise
# live: --source --timeout 3600
# full: 4.17 4.20
. "$(dirname "$0")/../lib/lib.sh"
. "$LIVE/ext4.sh"
. "$LIVE/xenforkd.sh"

file_systems=(XFS ext4 btrfs)
# In ms, about what each takes: the cuts are within, those that come too late at once when it has ended.
declare -A longest=([fork]=7000 [freeze]=2500 [thaw]=2000 [detach]=9000 [destroy]=2000 [start]=8000 [restart]=14000)
# at: which file system was cut; records: of each cut, in order
read -r at seed records <<<"${notes:-}"
at=${at:--1} seed=${seed:-${1:-$RANDOM}} each=${2:-2} acked=0 acked_clone=0

# on_fs N: what is different there
on_fs() {
    fs=${file_systems[$1]} name=src
    case $fs in
    XFS) top=/data name=source ;;
    ext4) top=/mnt/e ;;
    btrfs) top=/mnt/b ;;
    esac
    disk=$top/$name.img ours=$top/.xenfork
}

# Records, and libxl's own, are on the same file system as the disks.
mount_all() {
    mkdir -p "$top"
    [ "$fs" = XFS ] || mount -o loop "/data/$fs" "$top" || bail_out "cannot mount $fs"
    mkdir -p "$top/state" "$top/xen" /var/lib/xenfork
    [ -n "$(ls "$top/xen")" ] || cp -a /var/lib/xen/. "$top/xen"
    mount --bind "$top/state" /var/lib/xenfork || bail_out 'cannot mount the records'
    mount --bind "$top/xen" /var/lib/xen || bail_out "cannot mount libxl's records"
}
# gone FOLDER: soon nothing is mounted there
gone() { wait_until 30 umount "$1" || fail "$1 is in use" "$(fuser -vm "$1" 2>&1)"; }
unmount_all() {
    gone /var/lib/xen
    gone /var/lib/xenfork
    [ "$fs" = XFS ] || gone "$top"
}

make_fs() {
    rm -rf "$top/state" "$top/xen" /data/*.img /data/.xenfork
    case $fs in
    XFS) return ;;
    ext4) rm -f /data/btrfs ;;
    btrfs) rm -f /data/ext4 ;;
    esac
    truncate -s 500M "/data/$fs"
    mkfs."$fs" -q "/data/$fs" || bail_out "no $fs"
}

start_it() {
    case $fs in
    XFS) start_source ;;
    ext4) start_behind "$name" "$disk" ;;
    btrfs) start_source "$name" 128 "disk = [ \"format=raw,vdev=xvda,access=rw,target=$disk\" ]" ;;
    esac
}
clones() { xl fork-list --json | jq -c '[.[] | select(.kind == "clone") | .name]'; }

# The writes of a cut disk that are elsewhere are read with it.
raw() { if [ "$fs" = ext4 ]; then "$BLOCK" attach "$1" r; else printf '%s\n' "$1"; fi; }
# whole WHAT PATH ACKED: a disk without a domain
whole() {
    local seen
    seen=$("$LIVE/check-disk" "$(raw "$2")")
    [ "$fs" != ext4 ] || "$BLOCK" detach "$2"
    is "$1: no damage" "$(jq -c .errors <<<"$seen")" '[]'
    at_least "$1: all that was acknowledged" "$(json .highest <<<"$seen")" "$3"
}

left() {
    printf '%s %s %s\n' "$(xl fork-list --json | jq -c '[.[].name]')" \
        "$(find /var/lib/xenfork/{journals,restarts,clones,images,frozen} -mindepth 1 2>/dev/null | wc -l)" \
        "$(find "$ours" -type f ! -path '*/pool/*' ! -name '*.head' 2>/dev/null | wc -l)"
}
nothing_left() { [ "$(left)" = '[] 0 0' ]; }
is_settled() { is_empty /var/lib/xenfork/restarts; }

# starts_again WHAT
starts_again() {
    check "$1: the clone starts again" timeout 120 xl fork-start c
    check "$1: it ticks" wait_tick c 4 120
    is "$1: its disk is whole" "$(ask c verify | json .errors)" 0
    xl destroy c
}

# after VERB MS ACKED ACKED-CLONE MARKS IS-LAST: the host has come up
after() {
    local verb=$1 outcome=begun what there
    [ "$5" = 0 ] || outcome=ended
    what="$fs, $verb cut after $2 ms ($outcome)"
    check "$what: recovered" timeout 120 xl fork-recover
    is "$what: no journal" "$(find /var/lib/xenfork/journals -type f 2>/dev/null | wc -l)" 0
    if [ "$verb" = restart ]; then
        starts "$what: the daemon starts"
        check "$what: no restart is left" wait_until 20 is_settled
        stop_daemon
    fi
    there=$(clones)
    case $verb:$outcome:$there in
    fork:ended:'["c"]' | fork:begun:'[]' | fork:begun:'["c"]' | destroy:ended:'[]' | destroy:begun:'[]' | destroy:begun:'["c"]') ok "$what: $there" ;;
    detach:*:'["c"]' | start:*:'["c"]' | restart:*:'["c"]' | freeze:*:'[]' | thaw:*:'[]') ok "$what: $there" ;;
    *) fail "$what: done, or not" "$there" ;;
    esac
    whole "$what, source" "$disk" "$3"
    # A record outlives its disk until its destruction is repeated.
    if [ "$there" != '[]' ]; then
        [ "$verb" = destroy ] || whole "$what, clone" "$(info c '.disks[0].path')" "$4"
        [ "$6" = no ] || [ "$verb" = destroy ] || starts_again "$what"
        check "$what: the clone is destroyed" timeout 120 xl fork-destroy --yes c
    fi
    if wait_until 60 nothing_left; then
        ok "$what: nothing is left"
    else
        fail "$what: nothing is left" "$(left)" "$(find "$ours" /var/lib/xenfork)"
    fi
}

# all_after: each disk as it was kept at a cut; the last goes on
all_after() {
    local n=0 all marks mark record verb ms acks acks_clone device is_last letters=({d..z} a{a..z} b{a..z} c{a..z} d{a..z})
    read -ra marks <<<"${POWER_CUTS:-}"
    # shellcheck disable=SC2206 # words
    all=($records)
    at_least "$fs: cuts were kept" ${#marks[@]} 1
    umount /data
    for record in "${all[@]}"; do
        IFS=: read -r verb acks acks_clone <<<"$record"
        IFS=: read -r mark ms <<<"${marks[n]:-1:0}"
        device=/dev/vd${letters[n]} is_last=no
        [ "$n" -lt "${#marks[@]}" ] || device=/dev/vdb
        [[ ${all[n + 1]:-} = "$verb":* ]] || is_last=yes
        mount -o noatime "$device" /data || bail_out "cannot mount $device"
        mount_all
        after "$verb" "$ms" "$acks" "$acks_clone" "$mark" "$is_last"
        unmount_all
        [ "$device" = /dev/vdb ] || gone /data
        n=$((n + 1))
    done
}

act() {
    local domid
    case $verb in
    fork) timeout 120 xl fork "$name" c ;;
    freeze) xl fork-freeze "$name" ;;
    thaw) xl fork-thaw "$name" ;;
    detach) timeout 120 xl fork-detach --wait c ;;
    destroy) xl fork-destroy --yes c ;;
    start) xl fork-start c ;;
    restart)
        domid=$(domid_of c)
        ask c reboot
        comes_back() { [ -n "$(domid_of c)" ] && [ "$(domid_of c)" != "$domid" ] && is_settled; }
        wait_until 120 comes_back
        ;;
    esac
}

# cut VERB: at so many instants of it
cut() {
    local verb=$1 delays start n
    [ "$verb" = thaw ] || acked=$(field "$name" acked)
    RANDOM=$((seed + at * 1000 + ${#records}))
    delays=$(for ((n = 0; n < each; n++)); do echo $((RANDOM * ${longest[$verb]} / 32768)); done | sort -n)
    for n in $delays; do records+=" $verb:$acked:$acked_clone"; done
    printf '# testbed: cut %s\n' "$(paste -sd ' ' <<<"$delays")"
    start=$(date +%s%3N)
    if act >/run/said 2>&1 </dev/null; then
        printf '# testbed: mark\n'
        ok "$fs: $verb"
    else
        fail "$fs: $verb" "$(cat /run/said)"
    fi
    diag "$fs, $verb: $(($(date +%s%3N) - start)) ms"
    sleep $((each / 5 + 1))
}

# has_clone: it ticks, and has written
has_clone() {
    check "$fs: the clone ticks" wait_tick c 4 180
    check "$fs: it ticks on" ticks_on c
    acked_clone=$(field c acked)
}

all_verbs() {
    records=''
    start_it
    ask "$name" 'pace 20' >/dev/null
    is "$fs: the source's disk is whole" "$(ask "$name" verify | json .errors)" 0
    cut freeze
    cut thaw
    cut fork
    has_clone
    # Emulated, each page that is taken from a guest that runs costs 2 ms.
    xl pause c
    cut detach
    xl unpause c
    cut destroy
    check "$fs: forked again" timeout 120 xl fork "$name" c
    starts "$fs: the daemon starts"
    has_clone
    cut restart
    stop_daemon
    has_clone
    xl destroy c
    cut start
    power_cut "$at" "$seed" "$records" "start:$acked:$acked_clone"
}

if [ "$at" -lt 0 ]; then
    diag "seed $seed"
else
    on_fs "$at"
    all_after
fi
at=$((at + 1))
[ "$at" -lt ${#file_systems[@]} ] || done_testing
on_fs "$at"
if [ "$fs" != XFS ]; then
    make_fs
fi
mount_all
[ "$fs" = XFS ] || disk_at "$disk"
sync
all_verbs

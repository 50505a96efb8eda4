#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Many clones of one call, again and again: each further one costs the host as many requests as the others, nothing
# accumulates, and a fork that fails at one of the last undoes them all, in less time than it took. Other times are shown, and
# not judged.
#     tests/testbed/run --xen 4.17 --source --memory 8192 --timeout 14400 tests/live/fork/hundreds.t 256 10
# alone: yes
# live: --source --memory 4096 --timeout 2400
# full: 4.17 4.20
. "$(dirname "$0")/../lib/lib.sh"

CLONES=${1:-32} ROUNDS=${2:-2}

calm() { ! pgrep -x xenfork-keeper >/dev/null; }
now_ms() { echo $(($(date +%s%N) / 1000000)); }
host() {
    snapshot_of_host /data /var/lib/xenfork | grep -v '^file /data/\.xenfork$\|^file /var/lib/xenfork\(/[a-z]*\)\?$'
    echo "nodes $(xenstore-ls | wc -l)"
    xl info | grep outstanding_claims
}
free_mib() { xl info free_memory; }
# many N FILE: forks, and shows what it took
many() {
    local start
    start=$(now_ms)
    timeout 3600 xl fork --paused --hydrate=auto --reserve 0 --json -n "$1" source >"$2" || return
    diag "-n $1: $(($(now_ms) - start)) ms; first and last clone, ms: $(jq -c '[.clones[0, -1].timings_ns.total / 1e6 | floor]' "$2"); hydrated at once: $(jq -c '[.clones[].timings_ns.hydrate // 0 | select(. > 0) / 1e6 | floor] | "\(length), ms: \(.[0]), \(.[-1])"' "$2"); $(jq -c .counters "$2")"
}
# did TEXT COMMAND [ARG…]: as check, and what it shows is seen
did() { if "${@:2}"; then ok "$1"; else fail "$1"; fi; }
names() { seq -f 'source-%g' "$1"; }
# gone N: destroys them in one call
gone() {
    local start
    start=$(now_ms)
    # shellcheck disable=SC2046  # names
    timeout 3600 xl fork-destroy --yes $(names "$1") || return
    diag "destroyed $1: $(($(now_ms) - start)) ms"
    wait_until 60 calm
}

did 'once, so that the documented directories are there' many 8 /run/few
did 'they go' gone 8
did 'eight' many 8 /run/few
did 'they go, too' gone 8
before=$(host) free=$(free_mib) dom0=$(awk '/^MemAvailable/ { print $2 }' /proc/meminfo)
for round in $(seq "$ROUNDS"); do
    did "$round: xl fork -n $CLONES" many "$CLONES" /run/many
    for what in hypercalls xenstore_ops xenstore_waits processes; do
        few=$(jq ".counters.$what" /run/few) all=$(jq ".counters.$what" /run/many)
        # Hydrating at once, which the memory that is left decides on, is many hypercalls.
        [ "$what" != hypercalls ] || { diag "$what: $few for 8, $all for $CLONES"; continue; }
        at_least "$round: each further clone takes no more $what" $((few * (CLONES - 8))) $(((all - few) * 8))
    done
    did "$round: they go in one call" gone "$CLONES"
    same_host "$round: the host is as before" "$before" "$(host)"
    at_least "$round: free memory is as before (3 MiB for what the source wrote)" "$(free_mib)" $((free - 3))
    diag "dom0 has $(($(awk '/^MemAvailable/ { print $2 }' /proc/meminfo) - dom0)) KiB more available than before"
done

# A folder of the clones' records that takes those of three quarters: each has a folder and a file when it is made.
mount -t tmpfs -o mode=700,nr_inodes=$((CLONES * 6 / 4 + 2)) none /var/lib/xenfork/clones
# When there were most of them.
watch_records() {
    local most=0 now
    while sleep 0.3; do
        now=$(find /var/lib/xenfork/clones -mindepth 1 -maxdepth 1 | wc -l)
        [ "$now" -le "$most" ] || { most=$now; echo "$now $(now_ms)" >/run/most; }
    done
}
watch_records &
start=$(now_ms)
said=$(timeout 3600 xl fork --paused --hydrate=auto --reserve 0 -n "$CLONES" source 2>&1) && status=0 || status=$?
end=$(now_ms)
kill %%
read -r made at </run/most
diag "made $made in $((at - start)) ms, undone in $((end - at)) ms: $said"
umount /var/lib/xenfork/clones
at_least 'it is undone within the time that it took' $((at - start)) $((end - at))
is 'no space for the records of the last ones: it fails' "$status" 1
check 'and says so' grep -q 'No space left' <<<"$said"
check 'the keeper ends' wait_until 60 calm
same_host 'all of it is undone' "$before" "$(host)"
at_least 'free memory is as before' "$(free_mib)" $((free - 3))
check 'the source ticks on' ticks_on source
done_testing

#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A source that is forked many times, and writes between, is as fast afterwards as before.
# live: --source --timeout 1500
# full: 4.20
. "$(dirname "$0")/lib.sh"
. "$LIVE/disk-load.sh"
. "$LIVE/ext4.sh"

# reads: ms that 2000 reads of the source's device take, past the cache; the least of five
reads() {
    local n start
    for n in 1 2 3 4 5; do
        start=$(date +%s%N)
        dd if="$node" of=/dev/null bs=4k count=2000 iflag=direct 2>/dev/null
        echo $((($(date +%s%N) - start) / 1000000))
    done | sort -n | head -n 1
}

xl destroy source
ext4_at /mnt/e 800
disk_at /mnt/e/src.img
start_behind src /mnt/e/src.img
node=$("$BLOCK" status /mnt/e/src.img | cut -d : -f 1)
costs=()
forks=${1:-64}
for n in $(seq "$forks"); do
    result=$(timeout 120 xl fork --paused --json src "c$n") || { fail "fork $n"; done_testing; }
    costs+=("$(cost "$result")")
    [ "$n" != 1 ] || first=$(reads)
    ask src "mark after-$n" >/dev/null
    # Their disks stay, their memory would not suffice.
    xl destroy "c$n"
done
last=$(reads)
diag "first fork: ${costs[0]}" "last fork:  ${costs[-1]}" "reads: $first ms, then $last ms"
check "after $forks forks reads take at most 1.2 times as long" test "$last" -le $((first * 12 / 10))
is 'its disk is whole' "$(ask src verify | json .errors)" 0
# shellcheck disable=SC2046
check 'the clones are destroyed' timeout 900 xl fork-destroy $(seq -f 'c%g' "$forks")
xl destroy src
taken_down 'and nothing is left of them'
done_testing

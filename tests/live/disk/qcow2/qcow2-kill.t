#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# kill -9 of a fork whose source has a qcow2 file, also at each word to QEMU: the source has one file again.
# live: --source --timeout 500
# full: 4.20 4.17
. "$(dirname "$0")/../../lib/lib.sh"
. "$LIVE/qcow2.sh"

image=/data/q.qcow2
xl destroy source
rm -f /data/source.img
qcow2_source q
mode_before=$(stat -c '%a %u %g' $image)
host_before=$(host)
same_whole() {
    is_whole $image && [ "$(host)" = "$host_before" ] && [ "$(stat -c '%a %u %g' $image)" = "$mode_before" ]
}
marks=()
# undone TEXT: soon
undone() {
    check "$1: the source has one file again" wait_until 60 same_whole
    marks+=("m${#marks[@]}")
    check "$1: it writes on" ask q mark "${marks[-1]}"
}

for stage in share create fork; do
    killed_fork "$stage: the fork" "$stage" q k
    undone "killed at $stage"
done
# Each command to QEMU is one sendto(2): killed before the first, the second, and so on.
for n in $(seq 20); do
    status=0
    { timeout 120 strace -o /dev/null -e trace=sendto -e "inject=sendto:signal=KILL:when=$n" xl fork --paused q k \
        >/dev/null 2>&1 || status=$?; } 2>/dev/null
    [ "$status" != 0 ] || break
    undone "killed at word $n to QEMU"
done
at_least 'QEMU is told more than a few words' "$n" 5
check 'the next fork succeeds' wait_until 60 ticks_on q
check 'and is destroyed' timeout 60 xl fork-destroy k
undone 'after it'
check 'the source ticks on' ticks_on q
is 'its disk is whole' "$(ask q verify | json .errors)" 0
xl pause q
is 'it has all' "$(census $image '.marks | sort | join(" ")' | tr -d '"')" \
    "$(printf '%s\n' "${marks[@]}" | LC_ALL=C sort | paste -sd ' ')"
done_testing

#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A source whose disk is a qcow2 file is forked while it writes: its chain grows, and shrinks again.
# live: --source --timeout 180
# full: 4.17
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

is 'fork-check says how, and why' "$(xl fork-check q | tail -n 1)" '  xvda: qcow2, a qcow2 file'
acked=$(ask q mark before | json .acked)
result=$(timeout 120 xl fork --paused --json -n 2 q 2>/dev/null)
is 'forked while it writes' "$(jq '.clones | length' <<<"$result")" 2
ask q mark after >/dev/null
after=$(field q acked)
diag "ms: $(jq -c '.timings_ns | {prepare, disks, stun, total} | map_values(. / 1e5 | round / 10)' <<<"$result")" \
    "ms of each clone: $(jq -c '[.clones[].timings_ns.create / 1e5 | round / 10]' <<<"$result")," \
    "processes: $(jq .counters.processes <<<"$result")"
base=$(info q@fork-1 '.disks[0].path')
sum=$(sha256sum <"$base")
seen=$(census "$(overlay q-1)" .)
is 'no damage' "$(json '.errors | length' <<<"$seen")" 0
at_least 'every write acknowledged before' "$(json .highest <<<"$seen")" "$acked"
check 'none of after' test "$(json .highest <<<"$seen")" -lt "$after"
is 'the mark of before' "$(jq -c .marks <<<"$seen")" '["before"]'
is 'the source goes on at its own path' "$(backing $image) $(chain $image)" "${base##*/} 2"
is 'the base is not for writing' "$(stat -c %a "$base")" 400
is 'xl fork-disk-list' "$(xl fork-disk-list --json | jq -c '[.[] | [.kind, .driver, .depth, .users]]')" \
    '[["base","qcow2",1,2],["overlay","qcow2",2,0],["overlay","qcow2",2,0]]'
diag "KiB of a fresh overlay: $(du -k "$(overlay q-2)" | cut -f 1)"

xl unpause q-1
check 'a clone ticks on' wait_until 60 ticks_on q-1
ask q-1 mark own >/dev/null
is 'its disk is whole' "$(ask q-1 verify | json .errors)" 0
is 'its sibling does not see its writes' "$(census "$(overlay q-2)" .marks)" '["before"]'
is 'nor does the source' "$(census $image '.marks | index("own")')" null
is 'the base is as it was' "$(sha256sum <"$base")" "$sum"

check 'all are destroyed' timeout 120 xl fork-destroy q-1 q-2
check 'the source has one file again' wait_until 60 same_whole
check 'it ticks on' ticks_on q
is 'its disk is whole' "$(ask q verify | json .errors)" 0
is 'and has all' "$(census $image '.marks | sort')" '["after","before"]'
same_host 'the host is as before' "$host_before" "$(host)"
done_testing

#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A source on a thin volume of LVM, forked while it writes, and frozen: each clone has a thin snapshot of its own.
# live: --source --timeout 900
# full: 4.17 4.20
. "$(dirname "$0")/../../lib/lib.sh"
. "$LIVE/lvm.sh"

xl destroy source
thin_volumes src=64 more=16

# disk DOM: its path
disk() { info "$1" '.disks[0].path'; }
# Before 4.20 what `xl create` leaves to watch a domain ends when the domain is suspended.
host() {
    local all
    all=$(snapshot_of_host /data)
    grep -vE '^[0-9]+ process xl$' <<<"$all"
}

start_source thin 128 \
    'disk = [ "format=raw,vdev=xvda,access=rw,target=/dev/vg0/src", "format=raw,vdev=xvdb,access=rw,target=/dev/vg0/more" ]'
host_before=$(host)
is 'fork-check says how, and why' "$(xl fork-check thin | tail -n 2)" '  xvda: lvthin, a thin volume of LVM
  xvdb: lvthin, a thin volume of LVM'
acked=$(ask thin mark before | json .acked)
check 'forked while it writes' timeout 120 xl fork --paused -n 2 thin
ask thin mark after >/dev/null
after=$(field thin acked)
base=$(info thin@fork-1 '.disks[0].path')
sum=$(sha256sum <"$base")
seen=$("$LIVE/check-disk" "$(disk thin-1)")
is 'no damage' "$(json '.errors | length' <<<"$seen")" 0
at_least 'every write acknowledged before' "$(json .highest <<<"$seen")" "$acked"
check 'none of after' test "$(json .highest <<<"$seen")" -lt "$after"
is 'the mark of before' "$(jq -c .marks <<<"$seen")" '["before"]'
is 'xl fork-disk-list' "$(xl fork-disk-list --json | jq -c '[.[] | select(.vdev == "xvda") | [.kind, .driver, .depth, .users]]')" \
    '[["base","lvthin",1,2],["overlay","lvthin",1,0],["overlay","lvthin",1,0]]'
check 'which knows what they take' jq -e 'all(.allocated_kib >= 0)' <<<"$(xl fork-disk-list --json)"
isnt 'each its own volume' "$(disk thin-1)" "$(disk thin-2)"
is 'the base cannot be written' "$(blockdev --getro "$base")" 1

xl unpause thin-1
check 'a clone ticks on' wait_until 60 ticks_on thin-1
ask thin-1 mark own >/dev/null
is 'its disk is whole' "$(ask thin-1 verify | json .errors)" 0
is 'its sibling does not see its writes' "$("$LIVE/check-disk" "$(disk thin-2)" | jq -c .marks)" '["before"]'
is 'nor does the source' "$("$LIVE/check-disk" /dev/vg0/src | jq '.marks | index("own")')" null
is 'the base is as it was' "$(sha256sum <"$base")" "$sum"

# A clone is a source like any other; and one without the disk.
check 'a clone is forked' timeout 120 xl fork --paused thin-1 second
is 'its clone has what it wrote' "$("$LIVE/check-disk" "$(disk second)" | jq -c '.marks | sort')" '["before","own"]'
is 'another driver is refused' "$(xl fork --disk xvda=reflink thin-1 2>&1 >/dev/null | grep -c 'xvda')" 1
check 'a clone without a disk' timeout 120 xl fork --disk xvdb=none thin-1 bare
is 'it has the other' "$(xl list -l bare | jq -c '[.[0].config.disks[].vdev]')" '["xvda"]'
check 'it ticks on' wait_until 60 ticks_on bare
check 'all of them are destroyed' timeout 120 xl fork-destroy bare second thin-1 thin-2
as_before() { [ "$(volumes)" = morepoolsrc ]; }
check 'their volumes are gone' wait_until 30 as_before
check 'the source ticks on' ticks_on thin

# Killed where volumes are made.
for stage in share create fork; do
    killed_fork "$stage: the fork" "$stage" thin k
    check "killed at $stage: its volumes are gone" wait_until 60 as_before
    check "killed at $stage: the source ticks on" ticks_on thin
done

# Killed while lvcreate runs: it comes to its end, and what it made is undone all the same.
for n in 1 2 3; do
    timeout 120 xl fork --paused thin k >/dev/null 2>&1 &
    check "lvcreate runs, $n" wait_until 30 pgrep -x lvcreate
    pkill -9 -x xl-fork
    wait 2>/dev/null
    check "killed beside lvcreate, $n: its volumes are gone" wait_until 60 as_before
    check "killed beside lvcreate, $n: the source ticks on" wait_until 60 ticks_on thin
done
sleep 2
is 'they stay away' "$(volumes)" morepoolsrc

# Frozen, forked twice.
check 'frozen' xl fork-freeze thin
tick=$(tick thin)
check 'forked' timeout 120 xl fork thin f1
check 'and again' timeout 120 xl fork thin f2
for clone in f1 f2; do
    check "$clone goes on from there" wait_tick "$clone" "$((tick + 1))" 60
    is "$clone's disk is whole" "$(ask "$clone" verify | json .errors)" 0
done
check 'thawed' xl fork-thaw thin
check 'the source ticks on' ticks_on thin
is 'its disk is whole' "$(ask thin verify | json .errors)" 0
check 'the clones are destroyed' timeout 120 xl fork-destroy f1 f2
check 'their volumes are gone' wait_until 30 as_before
is_same() {
    rmdir /data/.xenfork 2>/dev/null
    [ "$(host)" = "$host_before" ]
}
wait_until 30 is_same
same_host 'all is as before' "$host_before" "$(host)"
done_testing

#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# HVM guests whose disk is a qcow2 file of their device model's: one with PV drivers, which has unplugged the emulated
# disk, is forked while it writes and frozen, its clones too; one that uses the emulated disk is refused.
# live: --timeout 1500
# full: 4.17 4.20
. "$(dirname "$0")/../../lib/lib.sh"
. "$LIVE/qcow2.sh"
. "$LIVE/counting.sh"
. "$LIVE/hvm.sh"
# The last: its host() is wanted here.
. "$LIVE/refuse.sh"

image=/data/q.qcow2
fds() { node "$1" image/device-model-pid | sed 's|.*|/proc/&/fd|'; }
# opened DOM PATH: how often its device model has the file open
opened() { find -L "$(fds "$1")" -samefile "$2" | wc -l; }
is_unplugged() { [ "$(opened "$1" "$2")" = 1 ]; }
nodes() { qmp "$1" query-block | jq -c '[.[] | select(.inserted) | [.device, .inserted["node-name"], .inserted.image.filename]]'; }
operations() { qmp "$1" query-blockstats | jq -c '[.[] | [.device, .qdev, .stats.rd_operations, .stats.wr_operations]]'; }
disk_of() { if [ "$1" = q ]; then echo $image; else overlay "$1"; fi; }
has_written() { [ "$(field "$1" acked)" -gt "$2" ]; }
# goes_on DOM: its guest has unplugged the emulated disk, and writes to its disk, which is whole
goes_on() {
    local start=$SECONDS acked
    check "$1 ticks on" wait_until 120 ticks_on "$1"
    check "$1 has unplugged the emulated disk" wait_until 30 is_unplugged "$1" "$(disk_of "$1")"
    acked=$(field "$1" acked)
    check "$1 writes on" wait_until 60 has_written "$1" "$acked"
    is "$1: its disk is whole" "$(ASK_SECONDS=120 ask "$1" verify | json .errors)" 0
    diag "$((SECONDS - start)) s"
}

QCOW2=1 start_hvm q
diag "after $SECONDS s: $(nodes q) $(operations q)"
goes_on q
is 'fork-check says how' "$(xl fork-check q | tail -n 1)" '  xvda: qcow2, a qcow2 file'

acked=$(ask q mark before | json .acked)
result=$(timeout 200 xl fork --paused --json -n 2 q 2>/tmp/fork.log)
is 'forked while it writes' "$(jq '.clones | length' <<<"$result")" 2
[ -n "$result" ] || diag "$(</tmp/fork.log)"
ask q mark after >/dev/null
after=$(field q acked)
diag "$(cost "$result")"
base=$(info q@fork-1 '.disks[0].path')
sum=$(sha256sum <"$base")
for clone in q-1 q-2; do
    seen=$(census "$(overlay $clone)" .)
    is "$clone: no damage" "$(json '.errors | length' <<<"$seen")" 0
    at_least "$clone: every write acknowledged before" "$(json .highest <<<"$seen")" "$acked"
    check "$clone: none of after" test "$(json .highest <<<"$seen")" -lt "$after"
    is "$clone: the mark of before" "$(jq -c .marks <<<"$seen")" '["before"]'
done
is 'the source goes on at its own path' "$(backing $image) $(chain $image)" "${base##*/} 2"
is 'its device model has that file open, and the base, once each' "$(opened q $image) $(opened q "$base")" '1 1'
goes_on q

# A clone that has not run has both.
diag "a clone: $(nodes q-1) $(operations q-1)"
is "a clone's device model has its disk open twice" "$(opened q-1 "$(overlay q-1)")" 2
check 'a clone that has not run is not forked' says_no 'emulated disk' timeout 60 xl fork q-1
check 'nor is another detached' says_no 'emulated disk' timeout 60 xl fork-detach --wait q-2
for clone in q-1 q-2; do
    xl unpause $clone
    goes_on $clone
done
xl pause q-2
ask q-1 mark own >/dev/null
is 'its sibling does not see its writes' "$(census "$(overlay q-2)" .marks)" '["before"]'
is 'nor does the source' "$(census $image '.marks | index("own")')" null
is 'the base is as it was' "$(sha256sum <"$base")" "$sum"

# A clone is a source like any other.
check 'a clone is forked' timeout 200 xl fork --paused q-1 second
is 'its clone has what it wrote' "$(census "$(overlay second)" '.marks | sort')" '["before","own"]'
xl unpause second
for guest in second q-1; do goes_on $guest; done
xl pause second
xl unpause q-2
check 'a disk is detached' timeout 200 xl fork-detach --wait q-2
is 'it has no backing file' "$(backing "$(overlay q-2)")" ''
goes_on q-2
check 'clones are destroyed' timeout 120 xl fork-destroy --yes second q-2

# The guest unplugs the emulated disk once more.
for guest in q-1 q; do
    check "$guest is saved" timeout 120 xl save $guest /data/saved
    check "$guest is restored" timeout 120 xl restore /data/saved
    goes_on $guest
    rm -f /data/saved
done

# Each more that runs beside it makes the emulator slower.
xl pause q-1
check 'the source is frozen' timeout 60 xl fork-freeze q
check 'and forked from there' timeout 200 xl fork -n 2 q f
for clone in f-1 f-2; do goes_on $clone; done
for clone in f-1 f-2; do xl pause $clone; done
check 'thawed' timeout 60 xl fork-thaw q
goes_on q

deep=$(chain $image)
as_deep() { [ "$(chain $image)" = "$deep" ]; }
killed_fork 'a fork' create q k
check 'its snapshot is undone' wait_until 60 as_deep
goes_on q

check 'all are destroyed' timeout 120 xl fork-destroy --yes f-1 f-2 q-1
check 'the source has one file again' wait_until 120 is_whole $image
goes_on q
is 'it has all' "$(census $image '.marks | sort')" '["after","before"]'
check 'nothing of ours is left' wait_until 20 nothing_of_ours
xl destroy q

"$LIVE/boot-counter" /data/bios.img
hvm_config bios /data/bios.img 1 'memory = 48' >/data/bios.cfg
as_qcow2 bios
check 'a guest without PV drivers' timeout 120 xl create -q /data/bios.cfg
check 'is booted from its emulated disk' wait_until 240 is_past bios 2
diag "$(nodes bios) $(operations bios)"
remember bios
refused 'the emulated disk is used' DISK 'emulated disk' 'raw file on XFS or btrfs' bios
check 'it counts on' counts_on bios
done_testing

#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A source on ext4, which has no reflinks, behind block-fork's device: it is forked while it runs.
# live: --source --timeout 400
# full: 4.17
. "$(dirname "$0")/../../lib/lib.sh"
. "$LIVE/ext4.sh"

xl destroy source
ext4_at /mnt/e 500
disk_at /mnt/e/src.img
remember

start_behind src /mnt/e/src.img
is 'fork-check says how, and why' "$(xl fork-check src | tail -n 1)" '  xvda: thin, a raw file or device, by device-mapper'
acked=$(ask src mark before | json .acked)
check 'forked while it writes' timeout 120 xl fork --paused -n 2 src
ask src mark after >/dev/null
after=$(field src acked)
found=$(seen "$(disk src@fork-1)" .)
is 'no damage' "$(json '.errors | length' <<<"$found")" 0
at_least 'every write acknowledged before' "$(json .highest <<<"$found")" "$acked"
check 'none of after' test "$(json .highest <<<"$found")" -lt "$after"
is 'the mark of before' "$(jq -c .marks <<<"$found")" '["before"]'
xl unpause src-1
check 'a clone ticks on' wait_until 60 ticks_on src-1
ask src-1 mark own >/dev/null
is 'its disk is whole' "$(ask src-1 verify | json .errors)" 0
check 'a clone is forked' timeout 120 xl fork --paused src-1 second
is 'its clone has what it wrote' "$(seen "$(disk src-1@fork-1)" '.marks | sort')" '["before","own"]'
check 'the source is forked again' timeout 120 xl fork --paused src third
is 'its clone has what the source wrote' "$(seen "$(disk src@fork-2)" '.marks | sort')" '["after","before"]'

check 'all clones are destroyed' timeout 120 xl fork-destroy --yes src-1 src-2 second third
check 'the source ticks on' ticks_on src
xl destroy src
taken_down 'the file is plain again'
is 'with what the source wrote' "$("$LIVE/check-disk" /mnt/e/src.img | jq -c '[(.marks | sort), (.errors | length)]')" '[["after","before"],0]'
check 'no folder is left' test ! -e /mnt/e/.xenfork
all_as_before 'all is as before'
done_testing

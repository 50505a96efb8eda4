#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A disk on a thin device outlives its domain: a clone is saved, a source started again, frozen, and thawed.
# live: --source --timeout 700
# full: 4.17 4.20
. "$(dirname "$0")/../../lib/lib.sh"
. "$LIVE/ext4.sh"

xl destroy source
ext4_at /mnt/e 500
disk_at /mnt/e/src.img
remember

start_behind src /mnt/e/src.img
ask src mark before >/dev/null
check 'forked' timeout 120 xl fork --paused -n 2 src
ask src mark after >/dev/null
xl unpause src-1
check 'a clone ticks on' wait_until 60 ticks_on src-1
ask src-1 mark own >/dev/null
check 'a clone is forked' timeout 120 xl fork --paused src-1 second
check 'the source is forked again' timeout 120 xl fork --paused src third

# As after a reboot: nothing is in use but what a domain has.
check 'a clone is saved' timeout 120 xl save src-1 /data/saved
check 'and restored' timeout 120 xl restore /data/saved
check 'it ticks on' wait_until 60 ticks_on src-1
is 'its disk is whole' "$(ask src-1 verify | json .errors)" 0
xl destroy src
xl destroy src-1
xl destroy src-2
xl destroy second
xl destroy third
taken_down 'nothing is in use'
check 'the source is brought up by hand' "$BLOCK" attach /mnt/e/src.img r
is 'it has what it wrote' "$("$LIVE/check-disk" "$(raw /mnt/e/src.img)" | jq -c '[(.marks | sort), (.errors | length)]')" '[["after","before"],0]'
check 'and taken down' "$BLOCK" detach /mnt/e/src.img
start_behind src /mnt/e/src.img
ask src 'mark last' >/dev/null
is 'it is started: its disk is whole' "$(ask src verify | json .errors)" 0
is 'the clone has its own' "$(seen "$(disk src-1)" '.marks | sort')" '["before","own"]'
check 'all clones are destroyed' timeout 120 xl fork-destroy --yes src-1 src-2 second third
xl destroy src
taken_down 'the file is plain again'
is 'with what was written' "$("$LIVE/check-disk" /mnt/e/src.img | jq -c '[(.marks | index("last") != null), (.errors | length)]')" '[true,0]'
check 'no folder is left' test ! -e /mnt/e/.xenfork

# Frozen, forked twice; thawed though there are clones: its file is not written.
start_behind src /mnt/e/src.img
check 'frozen' xl fork-freeze src
tick=$(tick src)
check 'forked' timeout 120 xl fork src f1
check 'and again' timeout 120 xl fork --paused src f2
check 'f1 goes on from there' wait_tick f1 "$((tick + 1))" 60
check 'thawed' xl fork-thaw src
check 'the source ticks on' ticks_on src
check 'the clones are destroyed' timeout 120 xl fork-destroy --yes f1 f2
xl destroy src
all_as_before 'all is as before'
done_testing

#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Clones with qcow2 files: forked themselves, saved and restored, left by their QEMU; their image destroyed.
# live: --source --timeout 500
# full: 4.20 4.17
. "$(dirname "$0")/../../lib/lib.sh"
. "$LIVE/qcow2.sh"

image=/data/q.qcow2
xl destroy source
rm -f /data/source.img
qcow2_source q
ask q mark before >/dev/null
check 'forked' timeout 120 xl fork -n 2 q
check 'a clone ticks on' wait_until 60 ticks_on q-1
ask q-1 mark own >/dev/null

# A clone is a source like any other. Its QEMU is killed: nobody else minds.
check 'a clone is forked' timeout 120 xl fork --paused q-1 second
is 'its clone has what it wrote' "$(census "$(overlay second)" '.marks | sort')" '["before","own"]'
is 'xl fork-disk-list' "$(xl fork-disk-list --json | jq -c '[.[] | [.kind, .depth, .users]]')" \
    '[["base",1,2],["overlay",3,0],["overlay",2,0],["base",2,1],["overlay",3,0]]'
pkill -9 -f -- "-xen-domid $(domid_of q-2) "
check 'the QEMU of another clone dies: the source ticks on' ticks_on q
check 'and the clone' ticks_on q-1
check 'that clone is destroyed like any other' timeout 60 xl fork-destroy --yes q-2

# Hydrated clones outlive their image; the base stays, and is shown.
hydrated() { [ "$(info q-1 .hydrated_percent)" = 100 ]; }
check 'hydrated' wait_until 60 hydrated
check 'the image is destroyed' timeout 60 xl fork-image-destroy q@fork-1
is 'the base stays' "$(xl fork-disk-list --json | jq -c '[.[] | select(.name == null) | [.kind, .depth]]')" \
    '[["base",1]]'
check 'and the clone ticks on' ticks_on q-1

# Saved and restored, at the same path.
check 'the clone is saved' timeout 60 xl save q-1 /data/q-1.save
check 'and restored' timeout 60 xl restore /data/q-1.save
rm -f /data/q-1.save
check 'it ticks on' wait_until 60 ticks_on q-1
is 'its disk is whole' "$(ask q-1 verify | json .errors)" 0
check 'the rest is destroyed' timeout 120 xl fork-destroy --yes second q-1
check 'the source has one file again' wait_until 60 is_whole $image
check 'it ticks on' ticks_on q
is 'its disk is whole' "$(ask q verify | json .errors)" 0
done_testing

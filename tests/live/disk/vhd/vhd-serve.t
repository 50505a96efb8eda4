#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Tapdisks, which serve VHDs: killed, for clones that are saved and destroyed, sources that begin anew, bases that
# are raw files.
# live: --source --timeout 500
# needs: blktap
# full: 4.20 4.17
. "$(dirname "$0")/../../lib/lib.sh"
. "$LIVE/vhd.sh"

xl destroy source
mkdir /data/v
nothing=$(serving)
vhd_disk /data/v/web.vhd
disk() { info "$1" '.disks[0].path'; }
start_source web 128 "$(disk_line /data/v/web.vhd)"
ask web mark early >/dev/null
check 'frozen' xl fork-freeze web
check 'forked' timeout 120 xl fork -n 2 web f
check 'thawed' xl fork-thaw web
for clone in f-1 f-2; do check "$clone ticks on" wait_until 60 ticks_on "$clone"; done

is 'which tapdisk serves it' "$(/usr/libexec/xenfork/xenfork-block status vhd:/data/v/web.vhd)" \
    "/dev/nbd0: tapdisk $(cut -d ' ' -f 1 /run/xenfork/tap/*web.vhd), minor 0, for backend/vbd/$(domid_of web)/51712"
check 'it is not attached twice' eval '! /usr/libexec/xenfork/xenfork-block attach vhd:/data/v/web.vhd w 2>/tmp/twice'
check 'and the text says who has it' grep -q 'is attached already: /dev/nbd0, for backend' /tmp/twice

# A tapdisk is killed: its clone's requests fail, and nobody else notices.
tapdisk_of() { sed 's/ .*//' "/run/xenfork/tap/$(file_of "$(disk "$1")" | tr / '!')"; }
kill -9 "$(tapdisk_of f-1)"
# Blocks that the guest had not read yet cannot be read any more.
node=$(sed 's/.* \(.dev.nbd[0-9]*\) .*/\1/' "/run/xenfork/tap/$(file_of "$(disk f-1)" | tr / '!')")
fails() { ! timeout 30 dd if="$node" of=/dev/null bs=4096 count=1 iflag=direct; }
check 'tapdisk killed: its requests fail' fails
check 'its sibling ticks on' ticks_on f-2
is "its sibling's disk is whole" "$(ask f-2 verify | json .errors)" 0
check 'the source ticks on' ticks_on web
check 'it cannot be forked' eval '! timeout 120 xl fork f-1 other 2>/tmp/refused'
check 'and the text says why' grep -q 'no tapdisk serves it any more' /tmp/refused
xl destroy f-1
gone() { ! serving | grep -q "$1"; }
check 'xl destroy leaves nothing of what served it' wait_until 30 gone "$(file_of "$(disk f-1)" | tr / '!')"
is 'as many tapdisks as domains' "$(serving | grep -c ^tapdisk)" 2
is 'and as many minors' "$(serving | grep -c tapdisk/tapdisk-)" 2
check 'no node is left' eval '! xenstore-ls -f /local/domain/0/backend | grep -q "$(disk f-1)"'
check 'destroyed, with its disk' timeout 120 xl fork-destroy --yes f-1

# A clone is saved and restored.
check 'saved' timeout 120 xl save f-2 /data/f-2.save
is 'and its tapdisk goes' "$(serving | grep -c ^tapdisk)" 1
check 'restored' timeout 120 xl restore /data/f-2.save
check 'it ticks on' wait_until 60 ticks_on f-2
is 'its disk is whole' "$(ask f-2 verify | json .errors)" 0
check 'destroyed' timeout 120 xl fork-destroy --yes f-2
rm -f /data/f-2.save

# The source, destroyed and created anew, has all that it wrote.
marks=$(ask web verify | jq -c .marks)
xl destroy web
is 'nothing serves any disk' "$(serving)" "$nothing"
start_source web 128 "$(disk_line /data/v/web.vhd)"
is 'created anew: all its marks' "$(ask web verify | jq -c .marks)" "$marks"
kill -9 "$(pgrep -x tapdisk)"
xl destroy web
is 'its tapdisk killed: nothing is left either' "$(serving)" "$nothing"
start_source web 128 "$(disk_line /data/v/web.vhd)"
is 'and nothing is lost' "$(ask web verify | jq -c .marks)" "$marks"
xl destroy web

# Over a raw file.
vhd_disk /data/v/over.vhd /data/v/raw.img
raw=$(sha256sum </data/v/raw.img)
start_source over 128 "$(disk_line /data/v/over.vhd)"
ask over mark raw >/dev/null
check 'over a raw file: forked' timeout 120 xl fork over over-1
check 'its clone ticks on' wait_until 60 ticks_on over-1
is 'and has its mark' "$(ask over-1 verify | jq -c .marks)" '["raw"]'
timeout 120 xl fork-destroy --yes over-1
xl destroy over
is 'the raw file is as it was' "$(sha256sum </data/v/raw.img)" "$raw"
is 'nothing serves any disk' "$(serving)" "$nothing"
done_testing

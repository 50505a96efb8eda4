#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Nobody else is taken for a clone, an image or a source: after xl rename, where an image is let run or destroyed by
# accident, and where a clone may run elsewhere.
# live: --source --timeout 180
# full: 4.20
. "$(dirname "$0")/../lib/lib.sh"
. "$LIVE/refuse.sh"

image=source@fork-1
cpu_seconds() { xl list "$1" | awk 'NR > 1 { print $NF }'; }
flags_of() { xl list "$1" | awk 'NR > 1 { print $5 }'; }
listed() { xl fork-list --json | jq -r ".[] | select(.name == \"$1\") | .state"; }
is_hydrated() { [ "$(info cc .hydrated_percent)" = 100 ]; }
lives() { [ -n "$(domid_of "$1")" ]; }

check 'the source is forked' timeout 120 xl fork --keep-image source c
check 'its clone ticks on' wait_until 60 ticks_on c

# The clone has another name, and the source the clone's.
check 'xl rename of the clone' xl rename c cc
check 'xl rename of the source' xl rename source c
says 'the old name is not destroyed' 1 'c is domain [0-9]+ now, and not the clone' 'say cc' xl fork-destroy c
says 'nor later' 1 'domain c is not a clone' '' xl fork-destroy c
says 'nor is its network held' 1 'domain c is not a clone' '' xl fork-net c hold
says 'nor is it started' 1 'domain c is not a clone' '' xl fork-start c
check 'both live' eval 'lives c && lives cc'
is 'the clone has its name' "$(listed cc) $(listed c)" 'running '
is "the image has its source's" "$(info $image .source)" c
check 'its network, by its name' xl fork-net cc connect
check 'back' xl rename c source

# Our xl keeps an image from harm; Xen keeps it from running, when its own xl is used.
for verb in unpause destroy shutdown reboot "save $image /data/x" "migrate $image other" "rename $image other"; do
    [[ $verb == *" "* ]] || verb="$verb $image"
    # shellcheck disable=SC2086  # words
    says "xl ${verb%% *} of an image" 1 'is an image of xenfork' '' xl $verb
done
says 'by its number, too' 1 'is an image of xenfork' '' xl unpause "$(domid_of $image)"
check "Xen's own xl unpauses it" xens_xl unpause $image
is 'and it does not run' "$(flags_of $image) $(cpu_seconds $image)" '--p--- 0.0'
is 'it is as it was' "$(listed $image)" ready
check "Xen's own xl renames it" xens_xl rename $image gold
is 'the list has its name' "$(listed gold)" ready
says 'xl unpause by that' 1 'is an image of xenfork' '' xl unpause gold
for _ in {1..70}; do xens_xl unpause gold; done
is "Xen does not let it run while a clone lives" "$(cpu_seconds gold)" 0.0
is 'it counts as broken' "$(listed gold)" broken
says 'it is not forked' 1 'is broken' 'fork-image-destroy' xl fork gold e
check 'the clone goes on' ticks_on cc

# Xen's own xl destroys it: the clone, which has all of its memory, goes on.
check 'the clone is hydrated' wait_until 100 is_hydrated
xens_xl destroy gold
is 'it counts as lost' "$(listed gold)" lost
check 'the clone goes on' ticks_on cc
check 'the lost image goes' timeout 60 xl fork-image-destroy gold

# A migration begins, of which nobody knows how it ended.
timeout 60 xl migrate -s false cc nowhere >/dev/null 2>&1
is 'it is here' "$(listed cc)" running
check 'it ends' xl destroy cc
is 'it has left' "$(info cc .state): $(info cc .left)" 'left: migrated to nowhere'
says 'its disks are not removed unasked' 1 'migrated to nowhere' 'fork-destroy --yes' xl fork-destroy cc
says 'nor is it started' 1 'migrated to nowhere' 'fork-start --yes' xl fork-start cc
check 'it is, by --yes' timeout 120 xl fork-start --yes cc
is 'it is here' "$(info cc .state) $(info cc .left)" 'running '
says 'and is not forgotten' 1 'is here, as domain' '' xl fork-forget cc
check 'it ends' xl destroy cc
is 'it is stopped' "$(info cc .state) $(info cc .left)" 'stopped '

# Somebody has its disk.
disk=$(info cc '.disks[0].path') uuid=$(info cc .uuid)
loop=$(losetup --offset 4096 --find --show "$disk")
says 'a disk behind a loop device is not removed' 1 "$disk.* open for writing by $loop" 'fork-destroy --yes' \
    xl fork-destroy cc
says 'nor is it started' 1 "open for writing by $loop" 'fork-start --yes' xl fork-start cc
losetup -d "$loop"
exec 7>>"$disk"
says 'nor one that a program writes to' 1 "open for writing by .* \(process $$\)" 'fork-destroy --yes' xl fork-destroy cc
exec 7>&-

# The source takes its name.
check 'xl rename of the source' xl rename source cc
says 'neither is destroyed' 1 "and has the UUID $uuid" "say $uuid" xl fork-destroy cc
says 'nor forked' 1 'neither was touched' '' xl fork cc z
check 'back' xl rename cc source
is 'it is forgotten, and its disk is named' "$(xl fork-forget cc)" "left: xvda $disk"
check 'the disk is there' test -e "$disk"
is 'it is not listed' "$(listed cc)" ''
done_testing

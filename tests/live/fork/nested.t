#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A clone of a clone, and its clone; clones of an image that was kept; an image destroyed behind our back.
# alone: yes
# live: --source --timeout 250
# full: 4.17 4.20
. "$(dirname "$0")/../lib/lib.sh"

hydrated() { [ "$(info "$1" .hydrated_percent)" = 100 ]; }

token=$(field source token)
# At once: a clone need not be hydrated to be forked.
check 'fork the source' xl fork source clone
check 'fork the clone' xl fork clone child
check "fork that clone's clone" xl fork child grandchild
for name in clone child grandchild; do
    check "$name ticks" wait_until 90 ticks_on "$name"
    is "$name: token" "$(field "$name" token)" "$token"
    is "$name: disk" "$(ask "$name" verify | json .errors)" 0
done
is 'MACs all differ' "$(for name in source clone child grandchild; do field "$name" mac; done | sort -u | wc -l)" 4

# Two forks of one source at the same time: one of them, or both one after the other; never half of one.
xl fork source left >/dev/null 2>&1 &
left=$!
xl fork source right >/dev/null 2>&1
right=$?
wait "$left"
left=$?
is 'of two at the same time at least one succeeds' "$((left && right))" 0
is 'and what failed has left nothing' "$(xl list | grep -cE '^(left|right) ')" $((!left + !right))

check 'the clone gets hydrated' wait_until 180 hydrated child
image=$(info child .image)
check "Xen's own xl destroys its image" xens_xl destroy "$image"
check 'the hydrated clone goes on' ticks_on child
is 'we see that the image is gone' "$(info "$image" .state)" lost
ask child dirty 24 >/dev/null
check 'it writes to its memory, and goes on' ticks_on child

# A paused source is paused afterwards.
xl pause source
check 'fork of a paused source' xl fork --keep-image source kept
is 'the source is paused still' "$(xl list source | awk 'NR == 2 { print substr($5, 3, 1) }')" p
xl unpause source
check 'and ticks on when it is unpaused' ticks_on source

# An image that was asked to stay makes more clones, of the same instant.
image=$(info kept .image)
check 'destroy the only clone' xl fork-destroy kept
is 'its image stays' "$(info "$image" .state)" ready
check 'fork the image' xl fork -n 2 "$image" again
for name in again-1 again-2; do
    check "$name ticks" wait_until 90 ticks_on "$name"
    is "$name: token" "$(field "$name" token)" "$token"
    is "$name: disk" "$(ask "$name" verify | json .errors)" 0
done
check 'the source ticks on' ticks_on source
xl fork-destroy again-1 again-2
check 'the image goes when it is told to' xl fork-image-destroy "$image"
is 'it is gone' "$(xl list | grep -c "^$image ")" 0
done_testing

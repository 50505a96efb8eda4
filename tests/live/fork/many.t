#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Eight clones at once; hydrated clones that outlive their image.
# alone: yes
# live: --source --timeout 180
# full: 4.17 4.20
. "$(dirname "$0")/../lib/lib.sh"

hydrated() { [ "$(info "$1" .hydrated_percent)" = 100 ]; }

token=$(field source token)
check 'xl fork -n 8' xl fork -n 8 source
is 'eight clones by their names' "$(xl fork-list --json | json '[.[] | select(.kind == "clone") | .name] | sort | join(" ")')" \
    'source-1 source-2 source-3 source-4 source-5 source-6 source-7 source-8'
# dom0's only CPU cannot serve nine guests in any time: all have started, now one by one.
for n in 1 2 3 4 5 6 7 8; do xl pause "source-$n"; done
macs=$(field source mac)
for n in 1 2 3 4 5 6 7 8; do
    xl unpause "source-$n"
    check "clone $n ticks" wait_until 90 ticks_on "source-$n"
    view=$(ask "source-$n" view)
    is "clone $n: token" "$(json .token <<<"$view")" "$token"
    macs+=" $(json .mac <<<"$view")"
    [ "$n" = 1 ] || [ "$n" = 5 ] || xl pause "source-$n"
done
is 'MACs all differ' "$(tr ' ' '\n' <<<"$macs" | sort -u | wc -l)" 9

# Hydration goes on by itself, and shows.
for name in source-1 source-8; do
    check "$name gets hydrated" wait_until 180 hydrated "$name"
done
at_least 'a hydrated clone is mostly shared' "$(info source-1 '.shared_kib / 1024 | floor')" 64
image=$(info source-1 .image)
for n in 2 3 4 5 6 7; do check "source-$n gets hydrated" wait_until 180 hydrated "source-$n"; done

# By us.
check 'the image of hydrated clones can be destroyed' xl fork-image-destroy "$image"
check 'a clone goes on without it' ticks_on source-1
check 'another too' ticks_on source-5
is 'its disk is whole' "$(ask source-1 verify | json .errors)" 0

check 'the source goes on' ticks_on source
done_testing

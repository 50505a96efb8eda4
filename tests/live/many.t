#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Eight clones at once; hydrated clones that outlive their image.
# live: --source --timeout 500
. "$(dirname "$0")/lib.sh"

hydrated() { [ "$(info "$1" .hydrated_percent)" = 100 ]; }

token=$(field source token)
check 'xl fork -n 8' xl fork -n 8 source
is 'eight clones by their names' "$(xl fork-list --json | json '[.[] | select(.kind == "clone") | .name] | sort | join(" ")')" \
    'source-1 source-2 source-3 source-4 source-5 source-6 source-7 source-8'
for n in 1 2 3 4 5 6 7 8; do
    check "clone $n ticks" wait_until 90 ticks_on "source-$n"
    is "clone $n: token" "$(field "source-$n" token)" "$token"
done
is 'MACs all differ' "$(for n in 1 2 3 4 5 6 7 8; do field "source-$n" mac; done | sort -u | wc -l)" 8

# Hydration goes on by itself, and shows.
for name in source-1 source-8; do
    check "$name gets hydrated" wait_until 180 hydrated "$name"
done
at_least 'a hydrated clone is mostly shared' "$(info source-1 '.shared_kib / 1024 | floor')" 64
image=$(info source-1 .image)
for n in 2 3 4 5 6 7; do wait_until 180 hydrated "source-$n"; done

# By us.
check 'the image of hydrated clones can be destroyed' xl fork-image-destroy "$image"
check 'a clone goes on without it' ticks_on source-1
check 'another too' ticks_on source-5
is 'its disk is whole' "$(ask source-1 verify | json .errors)" 0

check 'the source goes on' ticks_on source
done_testing

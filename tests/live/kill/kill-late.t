#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# kill -9 of a fork at each stage that concerns a clone: the source runs on, and nothing is left.
# live: --source --timeout 320
# full: 4.17 4.20
. "$(dirname "$0")/../lib/lib.sh"
. "$LIVE/kill.sh"

remember
for stage in create fork attach unpause; do
    kill_stage "$stage"
done
fork_works k2
is "the source's disk is whole" "$(ask source verify | json .errors)" 0
done_testing

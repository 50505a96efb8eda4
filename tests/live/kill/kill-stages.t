#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# kill -9 of a fork at the stages that concern the source and kill.t leaves out: the source runs on, and nothing is left.
# live: --source --timeout 320
# full: 4.17 4.20
. "$(dirname "$0")/../lib/lib.sh"
. "$LIVE/kill.sh"

remember
for stage in check prepare pauses capture disks resume; do
    kill_stage "$stage"
done

is "the source's disk is whole" "$(ask source verify | json .errors)" 0
done_testing

#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# kill -9 of a fork at stages that concern the source: the source runs on, and nothing is left. kill-stages.t has the others.
# live: --source --timeout 240
# full: 4.20
. "$(dirname "$0")/../lib/lib.sh"
. "$LIVE/kill.sh"

remember
for stage in reserve suspend share seal; do
    kill_stage "$stage"
done

is "the source's disk is whole" "$(ask source verify | json .errors)" 0
done_testing

#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# kill -9 of a fork at each stage that concerns the source: the source runs on, and nothing is left.
# live: --source
. "$(dirname "$0")/lib.sh"
. "$LIVE/kill.sh"

remember
for stage in check reserve prepare suspend capture disks share resume seal; do
    kill_stage "$stage"
done

xl pause source
killed_at share
is_paused() { case $(flags_of source) in *p*) ;; *) false ;; esac; }
undone "a paused source"
check "a paused source is paused afterwards" is_paused
before=$(tick source)
sleep 2
is "it does not tick" "$(tick source)" "$before"
xl unpause source
check "unpaused, it ticks on" ticks_on source
same_source "unpaused"

is "the source's disk is whole" "$(ask source verify | json .errors)" 0
done_testing

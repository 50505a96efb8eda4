#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# While memory is low clones are paused by priority, and resumed in reverse; what others do with them is respected.
# live: --source --timeout 240
# full: 4.20
. "$(dirname "$0")/../lib/lib.sh"
. "$LIVE/xenforkd.sh"
. "$LIVE/memory.sh"

# order RESULT: the domids of which the log says so, in its order
# shellcheck disable=SC2154  # daemon_log: of xenforkd.sh
order() { sed -n "s/.*event=memory domid=\([0-9]*\) result=$1.*/\1/p" "$daemon_log" | paste -sd' '; }

for priority in 90 10 50; do
    check "xl fork --priority $priority" xl fork --reserve 0 --priority "$priority" source "p$priority"
    check "p$priority is hydrated" wait_until 120 hydrated "p$priority"
done
is 'the priority is listed' "$(info p90 .priority)" 90
starts 'xenforkd'
wait_until 10 eval '[ "$(xenstore-read "/libxl/$(domid_of p50)/xenfork-ring")" = 1 ]'
xl pause p50
check 'memory is low' leave 50
check 'the least one is paused' wait_until 10 is_paused p10
check 'at last the highest, too' wait_until 10 is_paused p90
is 'what its user has paused is let alone' "$(state_of p50)" paused
is 'in order' "$(order paused)" "$(domid_of p10) $(domid_of p90)"
is 'why' "$(daemon_lines 'result=paused reason=low')" 2
check 'the source goes on' ticks_on source
is 'the domain of somebody else is as it was' "$(flags_of hog)" --p---

kill_daemon KILL
wait_until 10 daemon_is_gone
starts 'xenforkd again'
xl unpause p10
check 'who is unpaused by hand runs' wait_until 10 runs p10
check 'and goes on' ticks_on p10
check 'the other stays paused' is_paused p90
xl destroy hog
check 'memory is back, and it goes on' wait_until 20 runs p90
check 'it ticks' ticks_on p90
is 'what its user has paused is paused still' "$(state_of p50)" paused
xl unpause p50
check 'until the user unpauses it' ticks_on p50

wait_until 10 eval '! xenstore-read "/libxl/$(domid_of p10)/xenfork-memory"'
: >"$daemon_log"
# 64 is memory_low's default.
/usr/libexec/xenfork/test-low 64 "$(domid_of p10)" "$(domid_of p50)" "$(domid_of p90)" >/tmp/low &
watch_ticks p10 /tmp/gap
check 'memory is low again' leave 50
for priority in 10 50 90; do wait_until 20 is_paused "p$priority"; done
wait_until 10 test -s /tmp/low
diag "first pause: $(cat /tmp/low)"
isnt 'the first is paused soon' "$(cat /tmp/low)" ''
at_least 'within two seconds' 2000 "$(sed -n 's/.*paused \([0-9]*\) ms later/\1/p' /tmp/low)"
is 'paused by priority' "$(order paused)" "$(domid_of p10) $(domid_of p50) $(domid_of p90)"
xl destroy hog
back=$(now_ms)
for priority in 90 50 10; do check "p$priority goes on" wait_until 20 runs "p$priority"; done
diag "all go on $(($(now_ms) - back)) ms after memory is back"
check 'the least one ticks' ticks_on p10
diag "its longest time without a tick: $(cat /tmp/gap) ms"
is 'in reverse order' "$(order resumed)" "$(domid_of p90) $(domid_of p50) $(domid_of p10)"
check 'the source goes on still' ticks_on source
stops 'xenforkd ends'
done_testing

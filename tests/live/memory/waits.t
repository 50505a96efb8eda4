#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Clones that find no memory wait, also while xenforkd is killed, and go on with every byte.
# live: --source --timeout 240
# full: 4.17 4.20
. "$(dirname "$0")/../lib/lib.sh"
. "$LIVE/xenforkd.sh"
. "$LIVE/memory.sh"

waits() { [ "$(xenstore-read "/libxl/$(domid_of "$1")/xenfork-memory" 2>/dev/null)" = waits ]; }
check 'xl fork' xl fork --reserve 0 -n 2 source
for n in 1 2; do check "clone $n is hydrated" wait_until 120 hydrated "source-$n"; done
printf "memory_low = 0\n" >/tmp/alone.conf
starts "xenforkd" -c /tmp/alone.conf
check 'memory is scarce' leave 14
for n in 1 2; do fill "source-$n" 20; done
for n in 1 2; do check "clone $n waits for memory" wait_until 60 waits "source-$n"; done
check 'the source goes on' ticks_on source

kill_daemon KILL
wait_until 10 daemon_is_gone
for n in 1 2; do check "without xenforkd clone $n waits on" waits "source-$n"; done
starts "xenforkd again" -c /tmp/alone.conf
check 'memory is back' xl destroy hog
for n in 1 2; do
    check "clone $n has written all" wait_until 120 filled "source-$n"
    filled_right "source-$n" 20
    is "clone $n: its disk" "$(ask "source-$n" verify | json .errors)" 0
    check "clone $n is noted no more" eval "! waits source-$n"
done
check 'the source goes on still' ticks_on source
check 'it can be forked again' xl fork source again
check 'and its fork goes on' wait_until 60 ticks_on again
stops 'xenforkd ends'
done_testing

#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Clones that find no memory wait, also while xenforkd is killed, and go on with every byte. So does their source, of which
# no more than source_reserve is reserved.
# live: --source --timeout 400
# full: 4.17 4.20
. "$(dirname "$0")/../lib/lib.sh"
. "$LIVE/xenforkd.sh"
. "$LIVE/memory.sh"

waits() { [ "$(xenstore-read "/libxl/$(domid_of "$1")/xenfork-memory" 2>/dev/null)" = waits ]; }
check 'xl fork' xl fork --reserve 0 -n 2 source
for n in 1 2; do check "clone $n is hydrated" wait_until 120 hydrated "source-$n"; done
printf 'memory_low = 0\nsource_reserve = 5\n' >/tmp/alone.conf
starts "xenforkd" -c /tmp/alone.conf
check 'memory is scarce' leave 14
for n in 1 2; do fill "source-$n" 20; done
for n in 1 2; do check "clone $n waits for memory" wait_until 60 waits "source-$n"; done
check 'the source goes on' ticks_on source

kill_daemon KILL
wait_until 10 daemon_is_gone
for n in 1 2; do check "without xenforkd clone $n waits on" waits "source-$n"; done
starts "xenforkd again" -c /tmp/alone.conf
longest_gap=0
check 'memory is back' xl destroy hog
for n in 1 2; do
    check "clone $n has written all" wait_filled 120 "source-$n"
    filled_right "source-$n" 20
    is "clone $n: its disk" "$(ask "source-$n" verify | json .errors)" 0
    check "clone $n is noted no more" eval "! waits source-$n"
done
check 'the source goes on still' ticks_on source
diag "longest gap $longest_gap ms"

check 'it can be forked again' xl fork --reserve 0 source again
check 'and its fork goes on' wait_until 60 ticks_on again
check 'it is hydrated' wait_until 120 hydrated again
mib=$(can_fill source)
lowered() { [ "$(reserved_mib source)" -le 7 ]; }
check 'little is reserved for the source' wait_until 60 lowered
check 'memory is scarce again' leave 8
at_least 'it is to write more than it can have' "$mib" $(($(free_mib) + $(reserved_mib source) + 5))
begun=$(now_ms)
fill source "$mib"
check 'the source waits for memory' wait_until 90 waits source
kill_daemon KILL
wait_until 10 daemon_is_gone
check 'without xenforkd it waits on' waits source
starts 'xenforkd once more' -c /tmp/alone.conf
sleep 3
check 'it waits as long as there is no memory' waits source
check 'memory is back again' xl destroy hog
longest_gap=0
check 'the source has written all' wait_filled 120 source
filled_right source "$mib"
diag "of $(($(now_ms) - begun)) ms"
at_least 'it has seen a gap' "$longest_gap" 3000
is 'its disk' "$(ask source verify | json .errors)" 0
is 'its clone, too' "$(ask again verify | json .errors)" 0
check 'none has crashed' eval '! crashed'
stops 'xenforkd ends'
done_testing

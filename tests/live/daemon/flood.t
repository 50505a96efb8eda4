#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A guest that writes whatever it likes, as fast as it can, troubles nobody but itself.
# live: --source --timeout 180
# full: 4.17 4.20
# alone: yes
. "$(dirname "$0")/../lib/lib.sh"
. "$LIVE/xenforkd.sh"

writes=${FLOOD_WRITES:-10000}
flooded() { [ -n "$(xenstore-read "$(key flooder data/flooded)" 2>/dev/null)" ]; }
is_flooding() { [ -n "$(xenstore-ls "$(key flooder data/fork)" 2>/dev/null)" ]; }
# freeze_ms DOM: asked to frozen, in ms
freeze_ms() {
    local start
    start=$(now_ms)
    request "$1" 1
    wait_until 30 is_frozen "$1" || return 1
    echo $(($(now_ms) - start))
}

# Without a suspend of its own: it floods on whatever it asks for.
start_source flooder 96 'vif = []'
xenstore-write "$(key flooder control/feature-suspend)" 0
starts 'the daemon starts'
alone=$(freeze_ms source)
diag "another guest, alone: asked to frozen in $alone ms"
check 'thawed' xl fork-thaw source
rss=$(daemon_rss)

ask flooder flood "$writes" >/dev/null
check 'it floods' wait_until 20 is_flooding
sleep 3
beside=$(freeze_ms source)
if flooded; then fail 'the flood goes on'; else ok 'the flood goes on'; fi
diag "another guest, beside it: asked to frozen in $beside ms"
# Emulated: what a freeze takes by itself is not the flood's doing.
check "another guest's request is delayed by 2 s at most" test "${beside:-99999}" -le $((alone + 2000))
check 'thawed' xl fork-thaw source
check 'another one goes on' ticks_on source
check 'the flood ends' wait_until 300 flooded
now=$(daemon_rss)
diag "memory of the daemon: $rss KiB before, $now KiB after $writes writes"
check 'the daemon is alive' daemon_lives
check 'its memory is flat' test "$now" -le $((rss + 1024))
lines=$(daemon_lines "domid=$(domid_of flooder) ")
diag "lines logged about the guest: $lines"
check 'it is not flooded either' test "$lines" -le 60
check 'the flooder goes on' ticks_on flooder
check 'other domains can be forked' xl fork source k
check 'the clone ticks' wait_until 60 ticks_on k
xl fork-destroy k
stops 'the daemon ends'
done_testing

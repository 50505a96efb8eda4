#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# xenforkd: one of it, however it ends; it freezes who asks, and takes up where a killed one was.
# live: --source --timeout 300
# full: 4.17
. "$(dirname "$0")/../lib/lib.sh"
. "$LIVE/xenforkd.sh"

says_when_missing() { { xl fork --paused source hint >/dev/null; } 2>&1; }

check 'without a daemon xl fork works, and says what is missing' \
    grep -q 'xenforkd is not running' <<<"$(says_when_missing)"
check 'the clone is there' domid_of hint
xl fork-destroy hint

check 'the default configuration is sound' xenforkd --check-config
starts 'the daemon starts'
check 'its pid is in the file' daemon_is "$(cat /run/xenforkd.pid)"
status=0
text=$(timeout 20 xenforkd --foreground 2>&1) || status=$?
is 'a second one is refused' "$status" 3
check 'and says why' grep -q 'another one is running' <<<"$text"
is 'with a daemon xl fork says nothing of it' "$(says_when_missing | grep xenforkd)" ''
xl fork-destroy hint

# A guest asks.
token=$(field source token)
start=$(now_ms)
request source 1
check 'a guest that asks is frozen' wait_until 20 is_frozen source
diag "asked to frozen: $(($(now_ms) - start)) ms"
is 'the key stays as it was' "$(requested source)" 1
request source 1
request source 'garbage'
check 'it is thawed' xl fork-thaw source
check 'it ticks on' ticks_on source
is 'the key says so' "$(requested source)" 'garbage'
request source 0
for value in 2 11 '1 ' ' 1' '' yes "$(printf 'x%.0s' $(seq 1 1000))"; do request source "$value"; done
sleep 2
check 'no other value counts' eval '! is_frozen source'
check 'it ticks on' ticks_on source

# Killed at any moment.
kill_daemon KILL
wait_until 10 daemon_is_gone
request source 1
sleep 1
check 'without a daemon nobody obeys' eval '! is_frozen source'
starts 'it starts again'
check 'the request that waited is served' wait_until 20 is_frozen source
kill_daemon KILL
wait_until 10 daemon_is_gone
starts 'killed and started again'
check 'what was frozen is frozen' is_frozen source
check 'thawed' xl fork-thaw source
is 'the key says so' "$(requested source)" 0
check 'it ticks on' ticks_on source
is 'it is the same guest' "$(field source token)" "$token"
stops 'SIGTERM ends it'
is_alone() { ! pgrep -x xenforkd; }
check 'nothing of it is left' wait_until 5 is_alone
done_testing

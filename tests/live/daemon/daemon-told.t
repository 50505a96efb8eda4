#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# xenforkd tells a guest that cannot be frozen, rereads its configuration, and takes over from keepers.
# live: --source --timeout 500
# full: 4.17 4.20
. "$(dirname "$0")/../lib/lib.sh"
. "$LIVE/xenforkd.sh"

starts 'the daemon starts'

# A guest that cannot be frozen is told.
start_source stuck 96 'vif = []' 'extra = "console=hvc0 quiet panic=3000"'
printf 'freeze_timeout = 2\n' >/tmp/short.conf
stops 'it ends at SIGTERM'
is_alone() { ! pgrep -x xenforkd; }
check 'nothing of it is left' wait_until 5 is_alone
starts 'with another configuration' --config /tmp/short.conf
ask stuck crash >/dev/null
sleep 2
request stuck 1
refused() { [ "$(requested stuck)" = 0 ]; }
check 'a guest that does not answer has failed' wait_until 30 refused
is 'the reason is told, and nothing of the host' "$(xenstore-read "$(key stuck fork/error)")" TIMEOUT

# A request of the host to a guest is not taken back.
xl shutdown stuck >/dev/null
is 'a domain that is to shut down is not forked' "$(xl fork stuck 2>&1 | grep -c 'has been asked to poweroff')" 1
is 'and is to shut down still' "$(xenstore-read "$(key stuck control/shutdown)")" poweroff
start_source late 96 'vif = []'
xl shutdown late >/dev/null
request late 1
check 'a guest that asks while it shuts down, shuts down' wait_until 60 is_no_domain late

# Another configuration, without and with a mistake.
printf 'freeze = 0\n' >/tmp/short.conf
kill_daemon HUP
check 'SIGHUP rereads the configuration' wait_until 10 daemon_said 'event=config result=reread'
request source 1
sleep 2
check 'which forbids freezing by key' eval '! is_frozen source'
printf 'freese = 0\n' >/tmp/short.conf
kill_daemon HUP
check 'a wrong one is named, and not used' \
    wait_until 10 daemon_said 'event=config result=ignored .*short.conf:1: unknown key: freese'
printf 'freeze = 1\n' >/tmp/short.conf
kill_daemon HUP
check 'the request that waited is served when it may' wait_until 20 is_frozen source
check 'thawed' xl fork-thaw source

# Keepers that are gone.
check 'forked' xl fork source k
pkill -9 -x xenfork-keeper
hydrated() { [ "$(info k .hydrated_percent)" = 100 ]; }
check 'a clone is hydrated without its keeper' wait_until 60 hydrated
ready() { [ "$(info k .ready)" = true ]; }
isnt 'it has not acknowledged' "$(info k .ready)" true
xenstore-write "$(key k data/fork/ack)" "$(info k .generation)"
check 'when it does, that is seen to without its keeper' wait_until 20 ready
check 'the clone is destroyed' xl fork-destroy k

# Keepers that have nothing to do but wait hand over to the daemon.
no_keeper() { ! pgrep -x xenfork-keeper >/dev/null; }
check 'forked' xl fork source k
check 'its keeper stays until it has acknowledged' eval '! no_keeper'
xenstore-write "$(key k data/fork/ack)" "$(info k .generation)"
check 'then it ends, and the clone does not' wait_until 60 no_keeper
is 'connected and hydrated' "$(info k .ready) $(info k .hydrated_percent)" 'true 100'
image=$(info k .image)
check 'it has an image' test -n "$image"
xl destroy k
no_image() { ! domid_of "$image"; }
check 'when it has gone its image goes' wait_until 30 no_image
xl fork-destroy k 2>/dev/null
check 'frozen from the host' xl fork-freeze source
pkill -9 -x xenfork-keeper
check 'xl shutdown of a frozen domain without its keeper' timeout 100 xl shutdown -w source
stops 'SIGTERM ends it'
done_testing

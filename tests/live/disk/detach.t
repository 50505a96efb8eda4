#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A clone is detached while it runs and writes: stopped, killed, resumed; then source and image go.
# live: --source --timeout 300
# full: 4.17
. "$(dirname "$0")/../lib/lib.sh"

private() { info "$1" .private_kib; }
percent() { info "$1" .detached_percent; }
shared() { info "$1" .shared_kib; }
is_detached() { [ "$(percent "$1")" = 100 ]; }
claimed() { xl info outstanding_claims; }
claimed_at_most() { [ "$(claimed)" -le "$1" ]; }

check 'forked' timeout 120 xl fork -n 2 source
check 'a clone ticks on' wait_until 60 ticks_on source-1
# Until then all that it lacks is set aside.
check 'the other is hydrated' wait_until 120 eval '[ "$(info source-2 .hydrated_percent)" = 100 ]'
ask source-1 mark own >/dev/null
ask source-1 'pace 0' >/dev/null
before=$(private source-1)

check 'a source is no clone' grep -q 'not a clone' <<<"$(xl fork-detach --wait source 2>&1)"
is 'nothing is detached yet' "$(percent source-1)" 0

# Slowly, in the background: stopped, then killed.
check 'begun' xl fork-detach --rate=1 source-1
check 'some of it is done' wait_until 30 eval '[ "$(percent source-1)" -gt 0 ]'
is 'a second one is refused' "$(xl fork-detach --wait source-1 2>&1 | head -n 1)" \
    'xl: source-1 is being detached already'
check 'stopped' xl fork-detach --stop source-1
check 'it stops' wait_until 30 eval '! pgrep -f "fork-detach --rate" >/dev/null'
check 'not all' test "$(percent source-1)" -lt 100
set_aside=$(claimed)
check 'begun again' xl fork-detach --rate=2 source-1
sleep 3
at_least 'memory is set aside meanwhile' "$(claimed)" $((set_aside + 30))
pkill -9 -f 'fork-detach --rate'
check 'the clone ticks on' ticks_on source-1
check 'killed: recovered' xl fork-recover
check 'no more is set aside than before' wait_until 10 claimed_at_most "$set_aside"
check 'not all yet' test "$(percent source-1)" -lt 100

# Emulated, each page that is taken from a guest that runs costs 2 ms.
xl pause source-1
start=$(date +%s%N)
check 'to its end' timeout 120 xl fork-detach --wait source-1
xl unpause source-1
diag "the rest took $((($(date +%s%N) - start) / 1000000)) ms; private before: $before KiB, now: $(private source-1)"
is 'detached' "$(percent source-1)" 100
is 'no page is shared' "$(shared source-1)" 0
at_least 'all of its memory is its own' "$(private source-1)" 130000
is 'the other clone shares as before' "$(percent source-2)" 0
check 'the clone ticks on' ticks_on source-1

# Its source and its image go.
xl destroy source
check 'the other clone is destroyed' timeout 60 xl fork-destroy --yes source-2
rm -f /data/source.img
check 'the image goes' wait_until 30 no_image
check 'the clone ticks on' ticks_on source-1
is 'its disk is whole' "$(ask source-1 verify | json .errors)" 0
has_own() { ask source-1 'view' | grep -q own || "$LIVE/check-disk" "$(info source-1 '.disks[0].path')" | grep -q '"own"'; }
check 'it has what it wrote' has_own
check 'destroyed' timeout 60 xl fork-destroy --yes source-1
check 'nothing is left' wait_until 30 eval '[ -z "$(ls -A /data/.xenfork /var/lib/xenfork/clones 2>/dev/null | grep -v : )" ]'
done_testing

#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A clone that lacks pages has memory for all of them, or is hydrated before it runs; the host may have nothing left.
# live: --source --timeout 200
# full: 4.20
. "$(dirname "$0")/../lib/lib.sh"
. "$LIVE/memory.sh"

sum() { ask "$1" 'sh md5sum </tmp/big' | json .output; }

ask source 'sh dd if=/dev/urandom of=/tmp/big bs=1024k count=15 2>/dev/null' >/dev/null
wanted=$(sum source)
isnt 'the source has something to read' "$wanted" ''

check 'xl fork --no-hydrate' xl fork --no-hydrate --paused --reserve 0 source lazy
at_least 'all that it lacks is reserved' "$(reserved_mib lazy)" 120
check 'somebody takes the rest of the memory' leave_least 6
diag "$(free_mib) MiB are left"
xl unpause lazy
check 'it runs all the same' wait_until 60 ticks_on lazy
is 'what it reads is right' "$(sum lazy)" "$wanted"
ask lazy 'sh cp /tmp/big /tmp/copy && rm /tmp/big && mv /tmp/copy /tmp/big' >/dev/null
is 'what it writes, too' "$(sum lazy)" "$wanted"
is 'its disk' "$(ask lazy verify | json .errors)" 0
check 'the source goes on' ticks_on source
check 'xl fork-destroy' xl fork-destroy lazy
xl destroy hog

# The source's own second copy, and less than twice a clone.
check 'memory is scarce' leave 330
check 'xl fork' xl fork --paused --reserve 0 source early
is 'it is hydrated before it can run' "$(info early .hydrated_percent)" 100
is 'nothing is reserved for it' "$(reserved_mib early)" 0
xl unpause early
check 'it runs' wait_until 60 ticks_on early
is 'what it reads is right' "$(sum early)" "$wanted"
xl destroy hog

check 'xl fork, of ample memory' xl fork --reserve 10% source late
check 'it is hydrated afterwards' wait_until 120 hydrated late
at_least 'then what was reserved is its own share' 13 "$(reserved_mib late)"
done_testing

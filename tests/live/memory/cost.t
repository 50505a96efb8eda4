#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The cost of a clone for the host: as long as it does nothing, little but page tables; and it has enough of these.
# live: --timeout 400
# full: 4.20 4.17
. "$(dirname "$0")/../lib/lib.sh"

free_kib() { xl fork-memory --json | json .free_kib; }
cost_kib() { xl fork-list --json | json "[.[] | select(.name | startswith(\"$1\")) | .host_kib] | add"; }
# agrees TEXT KIB WANTED: within 3 %
agrees() {
    local off=$(($2 > $3 ? $2 - $3 : $3 - $2))
    diag "$1: $2 KiB, and $3"
    check "$1" [ $((off * 100)) -le $((3 * $3)) ]
}
free() { xl info | awk '/^free_memory/ { print $3 }'; }

hydrated() { [ "$(info "$1" .hydrated_percent)" = 100 ]; }

start_source big 256
check 'an image, and a clone that does nothing' timeout 100 xl fork --paused --reserve 0 big first
check 'it is hydrated' wait_until 60 hydrated first
before=$(free) before_kib=$(free_kib)
check 'four more' timeout 200 xl fork --paused -n 4 --reserve 0 big@fork-1 more
for clone in more-1 more-2 more-3 more-4; do check "$clone has page tables for all" wait_until 60 hydrated "$clone"; done
after=$(free)
agrees 'what they are said to cost is what they cost' "$(cost_kib more-)" $((before_kib - $(free_kib)))
diag "free: $before MiB before four clones of 256 MiB, $after after"
# 1 MiB of page tables, 3 of records of what is shared, and what Xen has of a domain; libxl sets aside 3 MiB for page tables.
if [ $((before - after)) -le 20 ]; then ok 'none costs more than 5 MiB'; else fail 'none costs more than 5 MiB' "$((before - after)) for four"; fi
xl unpause first
check 'one runs' wait_until 60 ticks_on first
for clone in more-1 more-2 more-3 more-4; do xl fork-destroy "$clone"; done
check 'it is migrated' xl migrate -s '' first 'xl migrate-receive'
check 'and runs on' wait_until 60 ticks_on first
done_testing

#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Clones depend on nobody: not on their source, and once saved, restored or migrated not on us.
# live: --source --timeout 260
# full: 4.20
. "$(dirname "$0")/../lib/lib.sh"

token=$(field source token)
check 'fork' xl fork -n 2 source
check 'both tick' eval 'wait_until 60 ticks_on source-1 && wait_until 60 ticks_on source-2'

check 'destroy the source' xl destroy source
check 'a clone goes on' ticks_on source-1
check 'the other goes on' ticks_on source-2

before=$(field source-1 acked)
check 'xl save' xl save source-1 /data/saved
is 'it is gone' "$(domid_of source-1)" ''
is 'its record and disk stay' "$(info source-1 .state)" left
check 'xl restore' xl restore /data/saved
check 'it goes on' wait_until 60 ticks_on source-1
is 'token' "$(field source-1 token)" "$token"
at_least 'no tick is lost' "$(field source-1 tick)" "$before"
is 'its disk is whole' "$(ask source-1 verify | json .errors)" 0
is 'it shares nothing' "$(info source-1 .shared_kib)" 0

check 'xl migrate to this host' xl migrate -s '' source-2 'xl migrate-receive'
check 'it goes on' wait_until 60 ticks_on source-2
is 'token' "$(field source-2 token)" "$token"
is 'its disk is whole' "$(ask source-2 verify | json .errors)" 0

# No clone of the image runs any more: it goes by itself.
check 'the image has gone with its last clone' wait_until 30 no_image
check 'a restored clone goes on' ticks_on source-1
check 'a migrated clone goes on' ticks_on source-2

check 'xl fork-destroy takes them and their disks' xl fork-destroy --yes source-1 source-2
check 'no disk is left' is_empty /data/.xenfork
is 'no record is left' "$(xl fork-list --json | jq length)" 0
done_testing

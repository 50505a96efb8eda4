#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# kill -9 of a fork of a paused source; a journal that cannot be read.
# live: --source --timeout 200
# full: 4.17 4.20
. "$(dirname "$0")/../lib/lib.sh"
. "$LIVE/kill.sh"

remember
xl pause source
killed_at share
is_paused() { case $(flags_of source) in *p*) ;; *) false ;; esac; }
undone "a paused source"
check "a paused source is paused afterwards" is_paused
before=$(tick source)
sleep 2
is "it does not tick" "$(tick source)" "$before"
xl unpause source
check "unpaused, it ticks on" ticks_on source
same_source "unpaused"

id=00000000-0000-4000-8000-000000000001
listed() { xl fork-list | grep -q "^journal $id: unreadable: "; }
echo garbage >"/var/lib/xenfork/journals/$id"
check 'a journal that cannot be read keeps nobody else from a fork' timeout 120 xl fork source stuck-1
check 'it is shown' listed
isnt 'its reason is, too' "$(xl fork-list --json | json '.[] | select(.kind == "journal") | .reason')" ''
check 'the clone is destroyed' timeout 120 xl fork-destroy --yes stuck-1
check 'it is set aside' xl fork-recover --set-aside "$id"
is 'nothing is shown any more' "$(xl fork-list --json | jq -c .)" '[]'
check 'it is kept' test -e "/var/lib/xenfork/aside/$id"
check 'all is recovered' xl fork-recover

is "the source's disk is whole" "$(ask source verify | json .errors)" 0
done_testing

#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A guest has used up what Xen has for its page tables; Xen would stop the host if it found none when pages are shared.
# live: --source --timeout 450
# full: 4.17 4.20
. "$(dirname "$0")/../lib/lib.sh"

uses_up() {
    local said status=0
    said=$(/usr/libexec/xenfork/test-pool "$(domid_of "$2")") || status=$?
    check "$1" [ "$status" = 0 ]
    diag "$2: $said"
}
# fork_or_refuse SOURCE CLONE: the fork fails with a reason, or its clone is right; the host and the source go on.
fork_or_refuse() {
    local said status=0
    said=$(timeout 100 xl fork --timeout 30 --paused "$1" "$2" 2>&1) || status=$?
    diag "xl fork: status $status: $said"
    check "$1: the host lives" xl list
    if [ "$status" = 0 ]; then
        xl unpause "$2"
        check "$1: the clone ticks" wait_until 60 ticks_on "$2"
        check "$1: xl fork-destroy" timeout 60 xl fork-destroy "$2"
    else
        check "$1: it says why" grep -qE 'page tables|memory|suspend' <<<"$said"
        is "$1: there is no clone" "$(domid_of "$2")" ''
    fi
}

# It does not run when its pages are shared.
start_source frozen 96 'vif = []'
start_source plain 96 'vif = []'
check 'a guest is frozen' timeout 60 xl fork-freeze frozen
uses_up 'its tables are used up' frozen
fork_or_refuse frozen k
check 'it is thawed' timeout 60 xl fork-thaw frozen
check 'it ticks on' wait_until 60 ticks_on frozen

uses_up 'a guest uses its tables up' plain
fork_or_refuse plain k
check 'it ticks on' wait_until 60 ticks_on plain

# Its user has paused it.
uses_up 'the source uses its tables up' source
xl pause source
fork_or_refuse source k
xl unpause source
check 'the source ticks on' wait_until 60 ticks_on source
done_testing

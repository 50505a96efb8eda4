#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A clone that was made without libxl's restore lives as any domain does: it takes devices, is saved, restored, migrated, forked,
# rebooted, saved and restored by xendomains, and destroyed.
# live: --source --timeout 1500
# full: 4.17 4.20
. "$(dirname "$0")/../lib/lib.sh"
. "$LIVE/xenforkd.sh"

token=$(field source token)
# fast NAME [SOURCE]: a clone, which xenfork has made by itself
fast() {
    local by
    by=$(timeout 300 xl fork --json "${2:-source}" "$1" | json '.clones[0].made_by')
    is "$1 is made without libxl's restore" "$by" xenfork
    check "$1 ticks on" wait_until 60 ticks_on "$1"
}
# whole NAME WHAT: it is the guest that it was
whole() {
    check "$1 ticks on after $2" wait_until 90 ticks_on "$1"
    is "$1 has its memory after $2" "$(field "$1" token)" "$token"
    is "$1 has its disk after $2" "$(ask "$1" verify | json .errors)" 0
}
state() { [ "$(xenstore-read "/local/domain/0/backend/$2/$(domid_of "$1")/$3/state" 2>/dev/null)" = "$4" ]; }
no_domain() { [ -z "$(domid_of "$1")" ]; }
is_back() { local now; now=$(domid_of "$1") && [ -n "$now" ] && [ "$now" != "$domid" ] && ticks_on "$1" 20; }
nothing_left() { [ "$(xl fork-list --json | jq length)" = 0 ] && is_empty /data/.xenfork; }

starts 'the daemon starts'
fast a
truncate -s 16M /data/extra.img
check 'xl block-attach' xl block-attach a format=raw,vdev=xvdb,access=rw,target=/data/extra.img
check 'the guest takes it' wait_until 30 state a vbd 51728 4
check 'xl network-attach' xl network-attach a bridge=xenbr0
check 'the guest takes it' wait_until 30 state a vif 1 4
check 'xl save, with both' timeout 120 xl save a /data/saved
is 'it is gone' "$(domid_of a)" ''
check 'xl restore' timeout 120 xl restore /data/saved
whole a 'a restore'
check 'the disk that was attached is back' wait_until 30 state a vbd 51728 4
check 'the NIC that was attached is back' wait_until 30 state a vif 1 4
check 'xl block-detach' xl block-detach a xvdb
check 'xl network-detach' xl network-detach a 1
check 'xl migrate to this host' timeout 200 xl migrate -s '' a 'xl migrate-receive'
whole a 'a migration'

fast b
check 'xl fork of a clone' timeout 300 xl fork b c
whole c 'a fork of a clone'
check 'xl fork of one that was restored' timeout 300 xl fork a d
whole d 'a fork of one that was restored'
domid=$(domid_of b)
ask b 'sh (sleep 1; sync; reboot -f) &' >/dev/null
check 'b reboots' wait_until 300 is_back b
is 'its disk is whole' "$(ask b verify | json .errors)" 0
check 'xl destroy' xl destroy c
check 'it is gone' wait_until 30 no_domain c
is 'it is known as stopped' "$(info c .state)" stopped
check 'all go' timeout 200 xl fork-destroy --yes a b c d

fast e
xl destroy source
is "xendomains stop ends by itself" "$(timeout 200 /etc/init.d/xendomains stop >/dev/null 2>&1; echo $?)" 0
check 'it has saved it' wait_until 30 no_domain e
is "xendomains start ends by itself" "$(timeout 200 /etc/init.d/xendomains start >/dev/null 2>&1; echo $?)" 0
whole e xendomains
check 'it goes' timeout 60 xl fork-destroy --yes e
check 'nothing of ours is left' wait_until 30 nothing_left
stops 'the daemon ends'
done_testing

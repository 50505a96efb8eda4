#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Requests that xl fork refuses, each with its own code and text; nothing is touched.
# live: --source --timeout 200
# full: 4.17
# asan: yes
. "$(dirname "$0")/../lib/lib.sh"
. "$LIVE/refuse.sh"

token=$(field source token)
uuid=$(xl list --long source | json '.[0].config.c_info.uuid')
remember

says "unknown domain" 1 "no domain nothing" "xl list" xl fork nothing
says "unknown domid" 1 "no domain 4711" "xl list" xl fork 4711
says "check of an unknown domain" 1 "no domain nothing" "xl list" xl fork-check --json nothing
says "unknown clone" 1 "no clone named nothing" "xl fork-list" xl fork-destroy nothing
says "unknown image" 1 "no image named nothing" "xl fork-list" xl fork-image-destroy nothing
says "not a clone" 1 "source is not a clone" "xl destroy" xl fork-destroy source
says "not an image" 1 "source is not an image" "xl destroy" xl fork-image-destroy source
untouched "unknown names"

for domain in 0 Domain-0; do
    status=0
    text=$(timeout 60 xl fork "$domain" 2>&1) || status=$?
    is "$domain: cannot be forked" "$status ${text%%$'\n'*}" "2 xl: domain 0 cannot be forked"
done
untouched "domain 0"

refused "name taken" NAMETAKEN "name source is taken" "another name" source source
refused "MAC taken" MACTAKEN "00:16:3e:00:00:02 is taken" "another MAC" \
    --nic 0,mac=00:16:3E:00:00:02 source k
refused "UUID taken" UUIDTAKEN "$uuid is taken" "another UUID" --uuid "$uuid" source k
refused "not enough memory" HOSTMEM "not enough free memory: [0-9]+ MiB needed, [0-9]+ MiB free" \
    "--reserve" -n 30 --reserve full source k
says "no such NIC" 2 "no NIC 7" "count" xl fork --nic 7,link=hold source k
untouched "no such NIC"

as_nobody() { setpriv --reuid=65534 --regid=65534 --clear-groups "$@"; }
for verb in "fork source k" "fork-check source" fork-list "fork-info source" "fork-destroy k" \
    "fork-image-destroy k"; do
    status=0
    # shellcheck disable=SC2086  # words
    text=$(as_nobody timeout 60 xl $verb 2>&1 >/dev/null) || status=$?
    is "not root: xl ${verb%% *}: exit status" "$status" 1
    if [[ $text =~ ^xl:\ .*PERM.*root && $text != *$'\n'* ]]; then
        ok "not root: xl ${verb%% *}: says so, and who may"
    else
        fail "not root: xl ${verb%% *}: says so, and who may" "$text"
    fi
done
untouched "not root"

feature=/local/domain/$(domid_of source)/control/feature-suspend
xenstore-write "$feature" 0
refused "no suspend support" NOSUSPEND "does not say that it can suspend" "kernel" source k
xenstore-write "$feature" 1

check "the source ticks on" ticks_on source
is "as the same guest" "$(field source token)" "$token"

# While a fork of it is made; then while a clone needs its image.
timeout 120 xl fork --no-hydrate --paused source k >/dev/null 2>&1 &
fork=$!
wait_until 30 pgrep -x xenfork-keeper
pkill -STOP -x xl-fork # longer than anybody waits for it
says "busy" 1 "another xenfork operation" "again when it has ended" xl fork source k2
pkill -CONT -x xl-fork
wait "$fork"
is "the fork meanwhile succeeds" $? 0

remember
image=$(xl fork-list --json | json '.[] | select(.kind == "image") | .name')
says "image in use" 1 "clone k needs its image $image, and was made with --hydrate=never" "destroy" xl fork-image-destroy "$image"
says "clone's name taken" 1 "name k is taken" "fork-destroy k" xl fork source k
untouched "image in use"
check "the clone is destroyed" timeout 60 xl fork-destroy k
check "its image goes with it" wait_until 20 nothing_of_ours
check "the source ticks on" ticks_on source
is "still as the same guest" "$(field source token)" "$token"
done_testing

#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Debian's xendomains at shutdown and boot, with an image and a clone around that depends on it.
# alone: yes
# live: --source --timeout 200
# full: 4.17 4.20
. "$(dirname "$0")/../lib/lib.sh"
. "$LIVE/xenforkd.sh"

nothing_of_ours() { [ "$(xl fork-list --json | json length)" = 0 ]; }
no_images() { ! xl fork-list --json | grep -q '"kind": "image"'; }
no_domains() { [ "$(xl list | wc -l)" -eq 2 ]; }

# xendomains ACTION: bounded, far below its own 300 s for each domain
xendomains() {
    local start=$SECONDS status=0 output
    output=$(timeout 150 /etc/init.d/xendomains "$1" 2>&1) || status=$?
    diag "$output" "after $((SECONDS - start)) s"
    is "xendomains $1 ends by itself${2:+, $2}" "$status" 0
}

configure() { printf 'XENDOMAINS_%s\n' "$@" >/etc/default/xendomains; }
defaults=$(sed -n 's/^XENDOMAINS_//p' /etc/default/xendomains)
diag "Debian's defaults:" "$defaults"

starts 'the daemon starts'
timeout 120 xl fork --no-hydrate --ephemeral=crash source k >/dev/null || bail_out "cannot fork"
wait_tick k "$(($(tick source) + 1))" 60 || bail_out "k does not tick"
source_token=$(field source token)
ask k mark saved >/dev/null

xendomains stop "saving, as by default"
check "no domain is left" wait_until 30 no_domains
check "the image has gone with its clone" wait_until 30 no_images
is "source and clone were saved" "$(ls /var/lib/xen/save | tr '\n' ' ')" "k source "

xendomains start
check "the clone is back" ticks_on k
check "the source is back" ticks_on source
is "as the same guest" "$(field source token)" "$source_token"
is "with the same memory" "$(field k mark)" saved
is "its disk is whole" "$(ask k verify | json .errors)" 0
is "the clone is still known" "$(xl fork-list --json | json '.[] | .name + " " + .state')" "k running"

# Linux says that it can suspend when it boots, and libxl makes the node anew for what it restores.
check "a restored domain can be forked" timeout 60 xl -N fork source k2
xenstore-write "/local/domain/$(domid_of source)/control/feature-suspend" 1

# Shutdown alone; that the clones are ephemeral means nothing while the host goes down.
timeout 120 xl fork --no-hydrate --ephemeral=crash source k2 >/dev/null || bail_out "cannot fork"
wait_tick k2 "$(($(tick source) + 1))" 60 || bail_out "k2 does not tick"
configure 'SAVE=' 'STOP_MAXWAIT=20'
xendomains stop "shutting down"
check "it went through all domains" test "$(xl list | grep -c '^source ')" -eq 0
check "xl fork-list works" timeout 20 xl fork-list
is "the clones are stopped" "$(xl fork-list --json | json '.[] | select(.kind == "clone") | .name + " " + .state' | sort | tr '\n' ' ')" \
    "k stopped k2 stopped "
for clone in k k2; do check "$clone has its disk" test -s "$(info "$clone" .disks[0].path)"; done
check "they are destroyed" timeout 60 xl fork-destroy --yes k k2
check "no domain is left" wait_until 30 no_domains
check "nothing of ours is left" wait_until 20 nothing_of_ours
stops 'the daemon ends'
done_testing

#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# xl's commands on all domains, with an image and a clone around that depends on it, and xenforkd to do for the clone
# (and for its source, before Xen 4.20) what xl does for others.
# live: --source --timeout 400
# full: 4.20 4.17
. "$(dirname "$0")/../lib/lib.sh"
. "$LIVE/xenforkd.sh"

image() { xl fork-list --json | json '.[] | select(.kind == "image") | .name'; }
no_image() { [ -z "$(image)" ]; }

# names TEXT NAMES COMMAND…: it succeeds, and names them all
names() {
    local text=$1 wanted=$2 name output status=0
    shift 2
    output=$(timeout 60 "$@" 2>&1) || status=$?
    for name in $wanted; do
        [[ $output == *"$name"* ]] || status="$status, without $name"
    done
    if [ "$status" = 0 ]; then ok "$text"; else fail "$text" "status $status" "$output"; fi
}

forked() { # NAME
    timeout 120 xl fork --no-hydrate source "$1" >/dev/null || bail_out "cannot fork"
    wait_tick "$1" "$(($(tick source) + 1))" 60 || bail_out "$1 does not tick"
}

starts 'the daemon starts'
forked k
image=$(image)
is "the image tells what it is" "$image" source@fork-1
is "it is paused, and has not run" "$(xl list "$image" | awk 'NR == 2 { print $5, $6 }')" "--p--- 0.0"
all="Domain-0 source $image k"
names "xl list" "$all" xl list
names "xl list -v" "$all" xl list -v
names "xl vcpu-list" "$all" xl vcpu-list
names "xl vcpu-list of the image" "$image" xl vcpu-list "$image"
names "xl sched-credit2" "source k" xl sched-credit2
names "xl uptime" "source k" xl uptime
names "xentop" "source $image k" xentop -b -i 1 -f
check "xl domid of the image" xl domid "$image"
check "xl domname of the image" xl domname "$(domid_of "$image")"
is "xl list -l is JSON with source and clone" \
    "$(timeout 60 xl list -l 2>/dev/null | json '.[].config.c_info.name' | tr '\n' ' ')" "Domain-0 source k "
check "xl list -l of the image does not fall over" timeout 60 xl list -l "$image"
check "the source ticks on" ticks_on source
check "so does the clone" ticks_on k

# The guest's kernel reboots by itself.
source_before=$(domid_of source) clone_before=$(domid_of k)
status=0
text=$(timeout 60 xl reboot -a 2>&1) || status=$?
is "xl reboot -a succeeds" "$status" 0
diag "$text"
rebooted() { [ -n "$(domid_of "$1")" ] && [ "$(domid_of "$1")" != "$2" ]; }
check "the clone is started anew" wait_until 120 rebooted k "$clone_before"
check "the source is started anew" wait_until 120 rebooted source "$source_before"
check "the source ticks" wait_tick source 4 180
check "the clone ticks" wait_tick k 4 180
check "what was started anew needs no image" wait_until 20 no_image
check "the clone is destroyed" timeout 60 xl fork-destroy k

forked k2
image_domid=$(domid_of "$(image)")
start=$SECONDS status=0
timeout 90 xl shutdown -a -w >/tmp/shutdown.log 2>&1 || status=$?
diag "$(cat /tmp/shutdown.log)" "after $((SECONDS - start)) s"
is "xl shutdown -a -w ends by itself" "$status" 0
check "the source is gone" wait_until 20 is_no_domain source
check "the clone is gone" wait_until 20 is_no_domain k2
if grep -q "domain $image_domid$" /tmp/shutdown.log; then
    fail "the image is passed over" "$(cat /tmp/shutdown.log)"
else
    ok "the image is passed over"
fi
check "and goes with its clone" wait_until 20 no_image
is "the clone is stopped" "$(info k2 .state)" stopped
check "with its disk" test -s "$(info k2 .disks[0].path)"
check "xl fork-destroy removes it" timeout 60 xl fork-destroy k2
is "nothing of ours is left" "$(xl fork-list --json | json length)" 0
stops 'the daemon ends'
done_testing

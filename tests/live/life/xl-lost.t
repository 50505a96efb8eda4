#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Xen's own xl destroys an image behind our back, with a clone that depends on it: that is seen, and what follows works.
# live: --source --timeout 120
# full: 4.17 4.20
. "$(dirname "$0")/../lib/lib.sh"

nothing_of_ours() { [ "$(xl fork-list --json | json length)" = 0 ]; }
state_of() { xl fork-list --json | json ".[] | select(.name == \"$1\") | .state"; }

timeout 120 xl fork --no-hydrate --paused source k >/dev/null || bail_out "cannot fork"
image=$(xl fork-list --json | json '.[] | select(.kind == "image") | .name')
is "the image is ready" "$(state_of "$image")" ready

check "Xen's own xl destroys it" xens_xl destroy "$image"
is "xl fork-list says that it is lost" "$(state_of "$image")" lost
check "so does the table" grep -q "^$image .*lost" <<<"$(xl fork-list)"
is "xl fork-info, too" "$(xl fork-info --json "$image" | json '.[0].state')" lost
check "xl list works on" timeout 20 xl list
check "the source ticks on" ticks_on source

# The clone cannot run on; it can be destroyed, and takes the image's record with it.
check "the clone is destroyed" timeout 60 xl fork-destroy k
check "nothing is left of both" wait_until 20 nothing_of_ours
is "nor in the state" "$(find /var/lib/xenfork /data/.xenfork -type f)" ""
is "nor in Xen" "$(xl list | awk 'NR > 1 { print $1 }' | tr '\n' ' ')" "Domain-0 source "

check "the source can be forked again" timeout 120 xl fork --no-hydrate --paused source k2
image=$(xl fork-list --json | json '.[] | select(.kind == "image") | .name')
check "Xen's own xl destroys that image, too" xens_xl destroy "$image"
status=0
text=$(timeout 60 xl fork-image-destroy "$image" 2>&1) || status=$?
diag "fork-image-destroy of a lost image in use: status $status" "$text"
is "a lost image with a clone is in use" "$status" 1
check "another fork of the source works" timeout 120 xl fork source k3
check "its clone runs" wait_tick k3 "$(($(tick source) + 1))" 60
check "all clones are destroyed" timeout 120 xl fork-destroy k2 k3
check "nothing is left" wait_until 20 nothing_of_ours
check "the source ticks on" ticks_on source
done_testing

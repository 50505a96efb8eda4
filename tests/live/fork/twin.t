#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A clone made without libxl's restore is the same as one that libxl has restored: xenstore with permissions, libxl's record, the
# hypervisor's view, loop device and interface; and Xen's own commands do with it what they do with any domain.
# live: --source --timeout 900
# full: 4.17 4.20
# shellcheck disable=SC2034,SC2154  # of twin.sh
. "$(dirname "$0")/../lib/lib.sh"

. "$LIVE/twin.sh"

# Before 4.20 what `xl create` leaves to watch a domain ends when the domain is suspended.
host() { snapshot_of_host /data /var/lib/xen /run/xen-hotplug | grep -vE '^[0-9]+ process xl$'; }
has_tty() { [ -n "$(xenstore-read "/local/domain/$(domid_of "$1")/console/tty" 2>/dev/null)" ]; }
before=$(host)
clone libxl slow || bail_out 'no clone by libxl'
is 'libxl has made it' "$(json '.clones[0].made_by' <<<"$said")" libxl
is 'because' "$(json '.clones[0].because' <<<"$said")" 'a test asks for it'
clone '' quick || bail_out 'no clone by us'
is 'we have made it' "$(json '.clones[0].made_by' <<<"$said")" xenfork
check 'it has a console' wait_until 10 has_tty quick
same_in_all slow quick "${ALL[@]}"
check 'held' held "$(json '.clones[0].nics[0].vif' <<<"$said")"

xl unpause quick
check 'it ticks on' wait_until 60 ticks_on quick
is 'the memory of the source' "$(field quick token)" "$(field source token)"
is 'its disk is whole' "$(ask quick verify | json .errors)" 0

# What libxl's later calls do with it; save, restore and migrate: independent.t; reboot: clone-reboot.t.
state() { [ "$(xenstore-read "/local/domain/0/backend/$1/$(domid_of quick)/$2/state")" = "$3" ]; }
none() { ! xenstore-read "/local/domain/0/backend/$1/$(domid_of quick)/$2/state"; }
truncate -s 16M /data/extra.img
check 'xl block-attach' xl block-attach quick format=raw,vdev=xvdb,access=rw,target=/data/extra.img
check 'the guest takes it' wait_until 30 state vbd 51728 4
check 'xl block-detach' xl block-detach quick xvdb
check 'it is gone' wait_until 30 none vbd 51728
check 'xl network-attach' xl network-attach quick bridge=xenbr0
check 'the guest takes it' wait_until 30 state vif 1 4
check 'xl network-detach' xl network-detach quick 1
rm -f /data/extra.img
check 'xl fork of it' timeout 300 xl fork quick third
check 'that ticks on' wait_until 60 ticks_on third
is 'with the same memory' "$(field third token)" "$(field source token)"
check 'xl destroy' xl destroy third
check 'all are removed' timeout 300 xl fork-destroy --yes slow quick third
as_before() { [ "$(host)" = "$before" ]; }
if wait_until 60 as_before; then ok 'the host is as before'; else fail 'the host is as before' "$before" now "$(host)"; fi

# Another one: two vCPUs, two disks, two NICs of which one is connected.
xl destroy source
cp --reflink=auto /usr/share/xenfork-guest/disk.img /data/second.img
start_source pair 128 'vcpus = 2' \
    'disk = [ "format=raw,vdev=xvda,access=rw,target=/data/pair.img", "format=raw,vdev=xvdb3,access=rw,no-discard,target=/data/second.img" ]' \
    'vif = [ "bridge=xenbr0,mac=00:16:3e:00:00:02,mtu=1400,rate=10Mb/s", "bridge=xenbr0,mac=00:16:3e:00:00:03" ]'
SOURCE=pair
clone libxl two --nic 0,link=connect || bail_out 'no clone by libxl'
clone '' three --nic 0,link=connect || bail_out 'no clone by us'
is 'we have made it' "$(json '.clones[0].made_by' <<<"$said")" xenfork
check 'it has a console' wait_until 10 has_tty three
same_in_all two three "${ALL[@]}"
xl unpause three
check 'it ticks on' wait_until 60 ticks_on three
check 'all of these are removed' timeout 300 xl fork-destroy --yes two three
done_testing

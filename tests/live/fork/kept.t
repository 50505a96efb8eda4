#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A PVH domain with less memory than its maximum and a TSC that Xen emulates: its clone has all that a restored domain
# has, at the same instant. While memory comes on demand it is refused; so is nested virtualisation.
# live: --timeout 400
# full: 4.17 4.20
. "$(dirname "$0")/../lib/lib.sh"
. "$LIVE/refuse.sh"
. "$LIVE/kept.sh"

sed -e 's/^name = .*/name = "nest"/' -e '/^disk/d; /^vif/d' /etc/xen/source.cfg >/data/nest.cfg
if xl create -p -q /data/nest.cfg nestedhvm=1; then
    remember nest
    refused 'nested virtualisation' HVM 'nested virtualisation' 'remove nestedhvm=' --quiesce=pause nest k
    xl destroy nest
else
    ok 'nested virtualisation # SKIP this Xen makes no such domain'
fi

# memory below maxmem: while Xen populates on demand it is refused, and forked when the guest's balloon driver is done.
cp --reflink=auto /usr/share/xenfork-guest/disk.img /data/less.img
sed -e 's/^name = .*/name = "less"/' -e 's|/data/source.img|/data/less.img|' -e 's/^memory = .*/memory = 112/' -e 's/^maxmem = .*/maxmem = 160/' \
    -e 's/^tsc_mode = .*/tsc_mode = "always_emulate"/' /etc/xen/source.cfg >/data/less.cfg
timeout 120 xl create -p -q /data/less.cfg || bail_out 'cannot create less'
remember less
refused 'memory on demand' HYPERVISOR 'pages are populated on demand' 'balloon driver.*maxmem' less k
xl unpause less
wait_tick less 4 120 || bail_out 'less does not tick'
check 'its balloon driver gives back the difference' wait_until 60 xl fork-check less
check 'it is frozen' timeout 60 xl fork-freeze less
check 'it is forked' timeout 120 xl fork --paused less l
same records less l
same kept less l
check 'it is thawed' timeout 60 xl fork-thaw less
check 'it ticks on' ticks_on less
xl unpause l
check 'the clone ticks on' wait_until 60 ticks_on l
is 'its disk is whole' "$(ask l verify | json .errors)" 0
memory() { ask "$1" 'sh sed -n "s/MemTotal: *\([0-9]*\) kB/\1/p" /proc/meminfo' | json .output; }
before=$(memory l)
xl mem-set l 150
grown() { [ "$(memory l)" -gt $((before + 20000)) ]; }
check 'it can have more, up to its maximum' wait_until 60 grown
check 'and ticks on' ticks_on l
check 'the clone is destroyed' timeout 60 xl fork-destroy l
check 'nothing of ours is left' wait_until 20 nothing_of_ours
done_testing

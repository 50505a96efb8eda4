#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Sources that their user has paused, and guests that cannot suspend, since they use nothing of Xen's.
# live: --source --timeout 400
# full: 4.17 4.20
. "$(dirname "$0")/../lib/lib.sh"
. "$LIVE/refuse.sh"
. "$LIVE/counting.sh"

flags() { xl list "$1" | awk 'NR == 2 { gsub("[rb]", "-", $5); print $5 }'; }

# Its user has paused it, and its guest can suspend.
xl pause source
remember
refused 'paused, --quiesce=pause' NOSUSPEND 'uses device v[bi][df] .*only paused' 'leave --quiesce=pause out' \
    --quiesce=pause source k
before=$(tick source)
result=$(timeout 60 xl fork --json --paused source k)
is 'a paused source is forked, and is paused again' "$(flags source)" --p---
tick=$(tick source)
# Two ticks a second, the first one at once. They are published once a second: two may be of the time before the pause.
most=$(json '.timings_ns.stun / 5e8 | ceil + 2' <<<"$result")
at_least 'it ran no longer than it took to suspend' "$most" "$((tick - before))"
sleep 2
is 'it stays where it is' "$(tick source)" "$tick"
xl unpause k
check 'its clone ticks on' wait_tick k "$((tick + 3))" 60
is 'and it does not' "$(tick source)" "$tick"
check 'the clone is destroyed' timeout 60 xl fork-destroy k
xl unpause source
check 'unpaused once, it ticks on' ticks_on source

# A kernel without any driver. Without vcpus= xl has Xen set too little memory aside for its page tables.
"$LIVE/counter" /data/counter.elf
cat >/data/counter.cfg <<END
name = "counter"
type = "pvh"
kernel = "/data/counter.elf"
memory = 32
cpus = "1"
END
check 'a guest that knows nothing of Xen' timeout 60 xl create -q /data/counter.cfg
check 'counts' counts_on counter
before=$(last counter)
check 'it is forked' timeout 60 xl fork counter c1
after=$(last counter)
check 'both count on: the clone' counts_on c1
check 'and the source' counts_on counter
# The clone's first line may be the rest of one.
first=$(said c1 | sed -n 2p)
at_least 'the clone goes on from the instant of the fork: not before' "$first" "$before"
at_least 'nor after' "$((after + 2))" "$first"
is 'the source has left out nothing' "$(said counter | awk 'NR > 1 && $1 != last + 1 { print last, $1 } { last = $1 }')" ''
# Guests that only compute take the time from each other.
check 'the clone is destroyed' timeout 60 xl fork-destroy c1

xl pause counter
ran=$(cpu_time counter)
check 'paused, it is forked' timeout 60 xl fork --quiesce=pause counter c2
is 'and has not run for that' "$(flags counter) $(cpu_time counter)" "--p--- $ran"
check 'its clone counts' counts_on c2
check 'the clone is destroyed' timeout 60 xl fork-destroy c2
xl unpause counter
check 'unpaused, it counts on' counts_on counter

check 'it is frozen' timeout 60 xl fork-freeze counter
still=$(last counter)
check 'forked from there' timeout 60 xl fork -n 2 counter f
check 'the first clone counts' counts_on f-1
check 'the second, too' counts_on f-2
at_least 'they go on from there' "$((still + 2))" "$(said f-2 | sed -n 2p)"
is 'it does not' "$(last counter)" "$still"
check 'it is thawed' timeout 60 xl fork-thaw counter
check 'and counts on' counts_on counter
check 'all clones are destroyed' timeout 60 xl fork-destroy f-1 f-2
xl destroy counter

# A domain that has never run.
sed -e 's/^name = .*/name = "new"/' -e 's|/data/source.img|/data/new.img|' -e 's/^vif = .*//' /etc/xen/source.cfg >/data/new.cfg
cp --reflink=auto /usr/share/xenfork-guest/disk.img /data/new.img
xl create -p -q /data/new.cfg
check 'a domain that has never run is forked' timeout 60 xl fork --quiesce=pause new n1
is 'it has not run for that' "$(flags new) $(cpu_time new)" '--p--- 0.0'
check 'its clone boots' wait_tick n1 4 90
check 'the clone is destroyed' timeout 60 xl fork-destroy n1
xl destroy new
check 'nothing of ours is left' wait_until 20 nothing_of_ours
done_testing

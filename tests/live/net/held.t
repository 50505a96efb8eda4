#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A held NIC is held again when its clone was saved and is restored, as long as xenforkd runs; one that was connected is not.
# And devices that cannot be forked are named, each with the setting that takes it away.
# live: --source --timeout 400
# full: 4.20 4.17
. "$(dirname "$0")/../lib/lib.sh"
. "$LIVE/xenforkd.sh"

vif_of() { printf 'vif%d.0\n' "$(domid_of "$1")"; }
is_held() { held "$(vif_of "$1")"; }
# back FILE: restored, and runs
back() { timeout 120 xl restore "/data/$1.saved" && wait_until 60 ticks_on "$1"; }

starts 'the daemon starts'
check 'fork, held' timeout 120 xl fork --net hold source quiet
check 'fork, connected' timeout 120 xl fork --net connect source loud
check 'it is held' is_held quiet
for clone in quiet loud; do
    wait_until 60 ticks_on "$clone"
    check "$clone is saved" timeout 120 xl save "$clone" "/data/$clone.saved"
done
tcpdump -nn -U -i xenbr0 -w /data/frames "ether src $(info quiet '.nics[0].mac')" 2>/dev/null &
tcpdump=$!
check 'what was held is restored' back quiet
check 'it is held again' is_held quiet
check 'what was connected is restored' back loud
check 'and is not held' eval '! is_held loud'
# It says something, and is not heard before its user has connected it.
frames() { tcpdump -nn -r /data/frames 2>/dev/null | wc -l; }
is_heard() { [ "$(frames)" -gt 0 ]; }
says_something() { ask quiet 'sh arping -q -c 2 -I eth0 10.0.0.1' >/dev/null; }
says_something
sleep 2
is 'nobody has heard the held one, since it was restored' "$(frames)" 0
check 'connected by its user' xl fork-net quiet connect
check 'it is not held any more' eval '! is_held quiet'
says_something
check 'and is heard' wait_until 10 is_heard
kill "$tcpdump"
wait "$tcpdump" 2>/dev/null
check 'they go' timeout 120 xl fork-destroy quiet loud

# Devices that cannot be in two domains, all at once.
sed -e 's/^name = .*/name = "many"/' -e 's|/data/source.img|/data/many.img|' /etc/xen/source.cfg >/data/many.cfg
cp --reflink=auto /usr/share/xenfork-guest/disk.img /data/many.img
cat >>/data/many.cfg <<'END'
channel = [ "connection=socket,path=/run/many.socket,name=org.example.many" ]
vkb = [ "backend-type=linux" ]
END
check 'a domain with such devices' timeout 60 xl create -q -p /data/many.cfg
said=$(xl fork-check many 2>&1)
diag "$said"
check 'all kinds are named' eval 'grep -q "virtual keyboard" <<<"$said" && grep -q channel <<<"$said"'
check 'and the settings that they come of' eval 'grep -q "channel=" <<<"$said" && grep -q "vkb=" <<<"$said"'
stops 'the daemon ends'
done_testing

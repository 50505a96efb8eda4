#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The policy of a clone or a source for its shutdown is carried out, once, as xl create does it.
# alone: yes
# live: --source --timeout 600
# full: 4.17 4.20
. "$(dirname "$0")/../lib/lib.sh"
. "$LIVE/xenforkd.sh"

uuid_of() { xl list -v "$1" | awk 'NR == 2 { print $7 }'; }
mac_of() { xl network-list "$1" | awk 'NR == 2 { print $3 }'; }
names_like() { xl list | awk -v stem="$1" 'index($1, stem) == 1 { n++ } END { print n + 0 }'; }
state_of() { xl fork-list --json | json ".[] | select(.name == \"$1\") | .state"; }
files_of_clones() { find /data/.xenfork -name "$1*" | wc -l; }
is_another() { [ -n "$(domid_of "$1")" ] && [ "$(domid_of "$1")" != "$2" ]; }
comes_back() { wait_until 120 is_another "$1" "$2" && wait_tick "$1" 2 180; }
is_idle() { [ "$(pgrep -cx xenforkd)" = 1 ] && is_empty /var/lib/xenfork/restarts; }
# ended NAME HOW: by the guest itself
ended() { ask "$1" "$2" >/dev/null; }

start_source s 96 'on_poweroff = "destroy"' 'on_reboot = "restart"' 'on_crash = "rename-restart"' \
    'vif = [ "bridge=xenbr0" ]'
token=$(field s token)
starts 'the daemon starts'
check 'three clones' timeout 200 xl fork -n 3 s
for clone in s-1 s-2 s-3; do check "$clone ticks" wait_until 60 ticks_on "$clone"; done

# Poweroff: destroy. Its disk and its record stay.
uuid=$(uuid_of s-1)
ended s-1 poweroff
check 'poweroff: the domain goes' wait_until 40 is_no_domain s-1
is 'it is stopped' "$(state_of s-1)" stopped
isnt 'its disk stays' "$(files_of_clones "$uuid")" 0
check 'xl fork-destroy removes it' xl fork-destroy s-1
is 'with its disk' "$(files_of_clones "$uuid")" 0

# Reboot: restart, on its own disk, with its own identity.
ask s-2 mark before-reboot >/dev/null
domid=$(domid_of s-2) uuid=$(uuid_of s-2) mac=$(mac_of s-2)
disk=$(xl fork-info --json s-2 | json '.[0].disks[0].path')
ended s-2 reboot
check 'reboot: it comes back' comes_back s-2 "$domid"
is 'same UUID' "$(uuid_of s-2)" "$uuid"
is 'same MAC' "$(mac_of s-2)" "$mac"
isnt 'another life' "$(field s-2 token)" "$token"
is 'its own disk' "$(xl fork-info --json s-2 | json '.[0].disks[0].path')" "$disk"
check 'which it uses' grep -q "$disk" <<<"$(losetup -l -n -O BACK-FILE; xenstore-ls -f /local/domain/0/backend/vbd | grep params)"
is 'its disk is whole' "$(ask s-2 verify | json .errors)" 0
is 'it shares nothing' "$(info s-2 .shared_kib)" 0
is 'it needs no image' "$(info s-2 .hydrated_percent)" 100
check 'its NIC is held still' held "vif$(domid_of s-2).0"
is "its record is as xl's" "$(grep -al xenfork-hotplug /var/lib/xen/*)" ''
domid=$(domid_of s-2)
ended s-2 reboot
check 'reboot: again' comes_back s-2 "$domid"

# Crash: rename-restart. What crashed stays to be looked at.
domid=$(domid_of s-3) uuid=$(uuid_of s-3)
ended s-3 crash
check 'crash: it comes back' comes_back s-3 "$domid"
is 'same UUID' "$(uuid_of s-3)" "$uuid"
check 'what crashed is there under another name' grep -qE '^s-3-[0-9]{8}T[0-9]{6}Z$' <<<"$(xl domname "$domid")"
is 'once' "$(names_like s-3)" 2
check 'it needs no image' wait_until 30 is_idle

# Killed in the middle of it: whoever comes next finishes it.
domid=$(domid_of s-3)
ended s-3 reboot
is_restarting() { [ -n "$(ls /var/lib/xenfork/restarts/*/record 2>/dev/null)" ]; }
check 'reboot: begun' wait_until 40 is_restarting
pkill -9 -x xenforkd
wait_until 10 daemon_is_gone
starts 'the daemon starts again'
check 'it comes back' comes_back s-3 "$domid"
is 'once' "$(names_like s-3)" 2
check 'nothing is pending' wait_until 30 is_idle
xl destroy "$(xl list | awk '/^s-3-/ { print $2 }')"

# The image has gone: all that needed it have been restarted.
check 'the image goes with the last that needs it' wait_until 30 no_image

# A source: xl's watcher where it lives still, the daemon where it has gone; never both.
domid=$(domid_of s) uuid=$(uuid_of s)
ended s reboot
check 'source, reboot: it comes back' comes_back s "$domid"
is 'once' "$(xl list | grep -c '^s ')" 1
is 'same UUID' "$(uuid_of s)" "$uuid"
domid=$(domid_of s)
ended s reboot
check 'source, reboot: again' comes_back s "$domid"
domid=$(domid_of s)
ended s crash
check 'source, crash: it comes back' comes_back s "$domid"
is 'what crashed is there, once' "$(xl list | grep -c '^s-[0-9]*T')" 1
xl destroy "$(xl list | awk '/^s-[0-9]*T/ { print $2 }')"
ended s poweroff
check 'source, poweroff: it goes' wait_until 40 is_no_domain s
sleep 3
is 'and stays away' "$(xl list | grep -c '^s ')" 0
check 'its clones go on' ticks_on s-2

# Destroyed, saved: their disks stay.
disk=$(xl fork-info --json s-2 | json '.[0].disks[0].path')
xl destroy s-2
sleep 2
check 'xl destroy leaves the disk' test -e "$disk"
is 'and the record' "$(state_of s-2)" stopped
check 'xl fork-destroy takes both' xl fork-destroy s-2 s-3
is 'nothing is left' "$(find /data/.xenfork -type f)" ''

# Preserve; and nobody acts while there is no daemon.
check 'a clone of another source' xl fork source p
check 'it ticks' wait_until 60 ticks_on p
stop_daemon
domid=$(domid_of p)
ended p poweroff
check 'without a daemon it stays as it is' wait_until 40 is_shut_down p
sleep 3
is 'whatever its configuration' "$(domid_of p)" "$domid"
start_daemon
check 'the daemon that starts then does it' wait_until 40 is_no_domain p
check 'another clone' xl fork source q
check 'it ticks' wait_until 60 ticks_on q
domid=$(domid_of q)
ended q crash
check 'crash: it is preserved' wait_until 40 daemon_said "domid=$domid .*reason=crash action=preserve"
is 'as it is' "$(domid_of q)" "$domid"
check 'and shut down' is_shut_down q
domid=$(domid_of source)
ended source crash
check 'a source that crashed is preserved' wait_until 40 is_shut_down source
sleep 3
is 'as it is' "$(domid_of source)" "$domid"
xl fork-destroy q

stops 'the daemon ends'
done_testing

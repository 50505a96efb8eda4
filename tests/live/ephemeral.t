#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# xl fork --ephemeral: clones go with their disks when they power off or are destroyed, and at no other end.
# live: --source --timeout 400
# full: 4.20
# alone: yes
. "$(dirname "$0")/lib.sh"
. "$LIVE/xenforkd.sh"

listed() { xl fork-list --json | jq -r ".[] | select(.name == \"$1\") | .state"; }
is_removed() { [ -z "$(listed "$1")" ] && [ ! -e "$2" ]; }
is_stopped() { [ "$(listed "$1")" = stopped ]; }
disk_of() { info "$1" '.disks[0].path'; }
has_other_domid() { [ -n "$(domid_of "$1")" ] && [ "$(domid_of "$1")" != "$2" ]; }

starts 'the daemon starts'
check 'three of them' timeout 200 xl fork -n 3 --ephemeral source e
check 'and one for crashes, too' timeout 120 xl fork --ephemeral=crash source c
is 'they are shown' "$(info e-1 .ephemeral) $(info c .ephemeral)" 'poweroff crash'
declare -A disk
for clone in e-1 e-2 e-3 c; do
    disk[$clone]=$(disk_of "$clone")
    check "$clone ticks" wait_until 60 ticks_on "$clone"
done

ask e-1 poweroff >/dev/null
check 'one that powers off is removed' wait_until 60 is_removed e-1 "${disk[e-1]}"
xl destroy e-2
check 'one that is destroyed is removed' wait_until 60 is_removed e-2 "${disk[e-2]}"
ask e-3 crash >/dev/null
check 'one crashes' wait_until 60 is_shut_down e-3
xl destroy e-3
ask c crash >/dev/null
check 'another crashes' wait_until 60 is_shut_down c
xl destroy c
check 'it was to go then' wait_until 60 is_removed c "${disk[c]}"
is 'the first was not' "$(listed e-3)" stopped
check 'and has its disk' test -s "${disk[e-3]}"

check 'it starts again' timeout 120 xl fork-start e-3
check 'it ticks' wait_tick e-3 2 120
before=$(domid_of e-3)
ask e-3 reboot >/dev/null
check 'it reboots' wait_until 60 has_other_domid e-3 "$before"
check 'it ticks' wait_tick e-3 2 120
is 'it is ephemeral still' "$(info e-3 .ephemeral)" poweroff
check "Xen's own xl saves it" xens_xl save e-3 /data/saved
is 'it is kept' "$(listed e-3)" stopped
check 'with its disk' test -s "${disk[e-3]}"
check 'it is restored' xens_xl restore /data/saved
check 'it ticks on' wait_until 60 ticks_on e-3
check 'it is destroyed' timeout 60 xl fork-destroy e-3
stops 'the daemon ends'
done_testing

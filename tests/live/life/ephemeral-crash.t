#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# xl fork --ephemeral=crash: a clone goes with its disk after a crash, too, and stays when another xl saves it.
# live: --source --timeout 160
# full: 4.17 4.20
. "$(dirname "$0")/../lib/lib.sh"
. "$LIVE/xenforkd.sh"
. "$LIVE/ephemeral.sh"

starts 'the daemon starts'
check 'one' timeout 200 xl fork --ephemeral=crash source e
is 'it is shown' "$(info e .ephemeral)" crash
disk=$(disk_of e)
check 'it ticks' wait_until 60 ticks_on e
ask e crash >/dev/null
check 'it crashes' wait_until 60 is_shut_down e
xl destroy e
removed 'it was to go then' e "$disk"

check 'one' timeout 200 xl fork --ephemeral=crash source e
disk=$(disk_of e)
check 'it ticks' wait_until 60 ticks_on e
check "Xen's own xl saves it" xens_xl save e /data/saved
sleep 5
is 'it is kept' "$(listed e)" stopped
check 'with its disk' test -s "$disk"
check 'it is restored' xens_xl restore /data/saved
check 'it ticks on' wait_until 60 ticks_on e
check 'it is destroyed' timeout 60 xl fork-destroy e
stops 'the daemon ends'
done_testing

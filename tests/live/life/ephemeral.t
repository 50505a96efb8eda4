#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# xl fork --ephemeral: clones go with their disks when they power off or are destroyed, and at no other end.
# live: --source --timeout 200
# full: 4.20
. "$(dirname "$0")/../lib/lib.sh"
. "$LIVE/xenforkd.sh"
. "$LIVE/ephemeral.sh"

starts 'the daemon starts'
check 'one' timeout 200 xl fork --ephemeral --paused source e
is 'it is shown' "$(info e .ephemeral)" poweroff
disk=$(disk_of e)
xl destroy e
removed 'destroyed, it is removed' e "$disk"

check 'one' timeout 200 xl fork --ephemeral source e
disk=$(disk_of e)
check 'it ticks' wait_until 60 ticks_on e
ask e crash >/dev/null
check 'it crashes' wait_until 60 is_shut_down e
xl destroy e
sleep 5
is 'it was not to go then' "$(listed e)" stopped
check 'it has its disk' test -s "$disk"

check 'it starts again' timeout 120 xl fork-start e
check 'it ticks' wait_tick e 2 120
before=$(domid_of e)
ask e reboot >/dev/null
check 'it reboots' wait_until 60 has_other_domid e "$before"
check 'it ticks' wait_tick e 2 120
is 'it is ephemeral still' "$(info e .ephemeral)" poweroff
ask e poweroff >/dev/null
removed 'powered off, it is removed' e "$disk"

stops 'the daemon ends'
done_testing

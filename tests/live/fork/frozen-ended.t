#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A frozen source is made to run, or ended, by xl's own verbs: it is frozen no more, and its clone goes on.
# live: --source --timeout 500
# full: 4.17 4.20
. "$(dirname "$0")/../lib/lib.sh"
. "$LIVE/xenforkd.sh"

kinds() { xl fork-list --json | jq -r --arg kind "$1" '[.[] | select(.kind == $kind)] | length'; }
no_images() { [ "$(kinds image)" = 0 ]; }
token=$(field source token)

# Before Xen 4.20 it takes xenforkd to end a domain that has shut down.
starts 'the daemon starts'
poweroff=$(mktemp) && sed -e 's/"source"/"other"/;s|/data/source.img|/data/other.img|;/^vif/d' /etc/xen/source.cfg >"$poweroff"
cp --reflink=auto /usr/share/xenfork-guest/disk.img /data/other.img
check 'another domain' xl create -q "$poweroff"
check 'it ticks' wait_tick other 2 240
check 'it is frozen' xl fork-freeze other
check 'xl shutdown of a frozen domain makes it run, and shut down' timeout 100 xl shutdown -w other
is 'nothing is frozen' "$(kinds frozen)" 0
check 'frozen again' xl fork-freeze source
check 'forked' xl fork source survivor
check 'the clone ticks' wait_until 60 ticks_on survivor
check 'xl save of a frozen domain' timeout 120 xl save source /data/frozen-save
is 'it is gone' "$(domid_of source)" ''
is 'it is frozen no more' "$(kinds frozen)" 0
check 'xl restore' timeout 120 xl restore /data/frozen-save
check 'it runs, as an ordinary domain' wait_until 60 ticks_on source
is 'with its token' "$(field source token)" "$token"
check 'its clone goes on' ticks_on survivor
check 'frozen once more' xl fork-freeze source
check 'xl destroy of a frozen domain' xl destroy source
check 'its clone goes on' ticks_on survivor
is 'nothing is frozen' "$(kinds frozen)" 0
check 'the last clone is destroyed' xl fork-destroy survivor
check 'no image is left' wait_until 30 no_images
stops 'the daemon ends'
done_testing

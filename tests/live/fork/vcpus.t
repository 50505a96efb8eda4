#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# vCPUs that are plugged and unplugged by hand before and after a fork.
# Not on 4.20: the kernel of its guest refuses a vCPU that is plugged after the boot (PVH), forked or not.
# live: --timeout 700
# xen: 4.17
# full: 4.17
. "$(dirname "$0")/../lib/lib.sh"
. "$LIVE/smp.sh"

online_are() { [ "$(online "$1")" = "$2" ]; }
# takes DOM CPU ONLINE: its user brings a vCPU online that was plugged, as udev's rules do elsewhere
takes() {
    ask "$1" "sh echo 1 >/sys/devices/system/cpu/cpu$2/online" >/dev/null
    online_are "$1" "$3"
}
# available DOM: its vCPUs by xenstore
available() {
    local path
    path=/local/domain/$(domid_of "$1")/cpu
    for cpu in $(xenstore-list "$path" | sort -n); do xenstore-read "$path/$cpu/availability"; done | paste -sd' '
}

start_smp plug 2 'maxvcpus = 4'
is 'two of four are plugged' "$(available plug)" 'online online offline offline'
check 'a third one is plugged' xl vcpu-set --ignore-host plug 3
check 'its kernel takes it' wait_until 60 takes plug 2 0-2
check 'xl fork' timeout 300 xl fork plug clone
is 'the clone has these three plugged' "$(available clone)" 'online online online offline'
is 'and runs on them' "$(online clone)" 0-2
check 'it is given the fourth' xl vcpu-set --ignore-host clone 4
check 'and takes it' wait_until 60 takes clone 3 0-3
is 'the source runs on its three' "$(online plug)" 0-2
check 'it gives all but one back' xl vcpu-set --ignore-host clone 1
check 'and runs on that' wait_until 60 online_are clone 0
check 'the source is given its fourth' xl vcpu-set --ignore-host plug 4
check 'and takes it' wait_until 60 takes plug 3 0-3
is 'which the clone does not' "$(online clone)" 0
check 'the clone ticks on' ticks_on clone
check 'its fork has one of four' timeout 300 xl fork clone second
is 'plugged' "$(available second)" 'online offline offline offline'
is 'and online' "$(online second)" 0
check 'they are destroyed' timeout 60 xl fork-destroy second clone
xl destroy plug
done_testing

# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A host with little memory, for live scripts; after lib.sh.

hydrated() { [ "$(info "$1" .hydrated_percent)" = 100 ]; }
free_mib() { xl info | awk '/^free_memory/ { print $3 }'; }

# leave MIB: so much memory of the host; a domain `hog`, which does not run, has the rest
leave() {
    sed -n '/^kernel/p' /etc/xen/source.cfg >/tmp/hog.cfg
    printf '%s\n' 'name = "hog"' 'type = "pvh"' "memory = $(($(free_mib) - $1))" >>/tmp/hog.cfg
    xl create -q -p /tmp/hog.cfg
}

# state_of CLONE: as xl fork-list says
state_of() { xl fork-list --json | json ".[] | select(.name == \"$1\") | .state"; }

# fill DOM MIB: with what nobody else has; /tmp/sum then says whether it reads what it wrote
fill() {
    ask "$1" "sh dd if=/dev/urandom of=/tmp/seed bs=1024k count=1 2>/dev/null
        many() { i=0; while [ \$i -lt $2 ]; do cat /tmp/seed; i=\$((i+1)); done; }
        (many >/tmp/big; [ \"\$(md5sum </tmp/big)\" = \"\$(many | md5sum)\" ] && echo right >/tmp/sum || echo wrong >/tmp/sum) &" >/dev/null
}
filled() { ask "$1" 'sh cat /tmp/sum' | grep -q '"status":0'; }

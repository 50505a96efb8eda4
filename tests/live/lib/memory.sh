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

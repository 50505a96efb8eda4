#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# After a power cut a user's own domains have the numbers, the UUIDs and the names that a source and its clone had before:
# nobody does anything to them, nor to what is left of the others.
# live: --source --timeout 900
# full: 4.17 4.20
. "$(dirname "$0")/../lib/lib.sh"
. "$LIVE/refuse.sh"
. "$LIVE/xenforkd.sh"

state_of() { xl fork-list --json | jq -r ".[] | select(.name == \"$1\") | .state"; }
uuid_of() { xl list -v "$1" | awk 'NR == 2 { print $7 }'; }
id_of() { printf '%s %s\n' "$(domid_of "$1")" "$(uuid_of "$1")"; }

before() {
    check 'a clone' timeout 120 xl fork source c
    check 'it ticks' wait_until 60 ticks_on c
    timeout 120 xl fork source late >/dev/null 2>&1 &
    journaled() { [ -n "$(ls /var/lib/xenfork/journals)" ]; }
    check 'a fork is in the middle' wait_until 30 journaled
    check 'and stays there' pkill -STOP -x xl-fork
    # shellcheck disable=SC2046  # words
    power_cut $(id_of source) $(id_of c)
}

# own NAME DOMID UUID: a machine of its user's
own() {
    local config=/tmp/own.cfg
    [ -e "/data/own-$1.img" ] || cp --reflink=auto /usr/share/xenfork-guest/disk.img "/data/own-$1.img"
    sed -e '/^uuid/d' -e "s/^name = .*/name = \"$1\"/" -e "s|/data/source.img|/data/own-$1.img|" \
        -e 's/^memory = .*/memory = 128/' -e 's/^maxmem = .*/maxmem = 128/' /etc/xen/source.cfg >$config
    echo "uuid = \"$3\"" >>$config
    while timeout 120 xl create -pq $config && [ "$(domid_of "$1")" -lt "$2" ]; do xl destroy "$1"; done
    is "$1 is another machine, with the same number and UUID" "$(id_of "$1")" "$2 $3"
    xl unpause "$1"
    check "$1 ticks" wait_tick "$1" 2 120
}

all() { for name in source c; do id_of "$name"; done; }

# strange TEXT COMMAND…: c by name, UUID and number; each is refused, with both named
strange() {
    local text=$1
    shift
    says "$text, by name" 1 'c is domain [0-9]+ now, and not the clone' 'for the clone say' "${@//CLONE/c}"
    says "$text, by UUID" 1 'has the UUID of clone c, and none of its disks' 'a UUID of its own' "${@//CLONE/${id[3]}}"
    says "$text, by number" 1 'has the UUID of clone c, and none of its disks' 'a UUID of its own' "${@//CLONE/${id[2]}}"
}

after() {
    own source "${id[0]}" "${id[1]}"
    own c "${id[2]}" "${id[3]}"
    xl pause source
    starts 'the daemon starts'
    sleep 2
    check 'all is recovered' timeout 120 xl fork-recover
    is 'no journal is left' "$(find /var/lib/xenfork/journals -type f | wc -l)" 0
    is 'the clone is stopped' "$(state_of c)" stopped
    is 'the source that its user paused is paused' "$(xl list source | awk 'NR == 2 { print substr($5, 3, 1) }')" p
    xl unpause source
    strange 'it is not destroyed' xl fork-destroy --yes CLONE
    strange 'nor started' xl fork-start CLONE
    strange 'nor held' xl fork-net CLONE hold
    strange 'nor detached' xl fork-detach --wait CLONE
    check 'its network card is not held' eval '! held "vif$(domid_of c).0"'
    says 'the source is not thawed' 1 'is not frozen' '' xl fork-thaw source
    is 'all are what they were' "$(all)" "$(printf '%s %s\n' "${id[@]}")"
    for name in source c; do check "$name ticks on" ticks_on "$name"; done
    check 'its user destroys the other' xl destroy c
    check 'then the clone starts' timeout 120 xl fork-start c
    check 'and ticks' wait_tick c 2 120
    check 'and is the clone' eval '[ "$(state_of c)" = running ]'
    check 'it is destroyed' timeout 120 xl fork-destroy --yes c
    stops 'the daemon ends'
}

[ -n "$notes" ] || before
read -ra id <<<"$notes"
after
done_testing

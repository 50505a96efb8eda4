#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A frozen source: all its forks go on from the instant of the freeze, and none of them touches it.
# live: --source --timeout 300
# full: 4.17
. "$(dirname "$0")/../lib/lib.sh"
. "$LIVE/xenforkd.sh"

kinds() { xl fork-list --json | jq -r --arg kind "$1" '[.[] | select(.kind == $kind)] | length'; }
# Before 4.20 the watcher of `xl create` ends when its domain is suspended.
host() { snapshot_of_host /data/.xenfork | grep -vE '^file /data/.xenfork$|^[0-9]+ process xl$'; }
no_images() { [ "$(kinds image)" = 0 ]; }

# from_the_instant NAME: the clone's first tick follows the source's last
from_the_instant() {
    local first=''
    xl unpause "$1"
    wait_until 60 tick "$1" && first=$(tick "$1")
    at_least "$1: goes on after the source's last tick" "$first" "$frozen_tick"
    check "$1: and no later" test "${first:-99999}" -le $((frozen_tick + 12))
    check "$1: ticks on" ticks_on "$1" 60
    is "$1: token" "$(field "$1" token)" "$token"
    is "$1: its disk is whole" "$(ask "$1" verify | json .errors)" 0
    xl pause "$1"
}

token=$(field source token)
host_before=$(host)
check 'xl fork-freeze' xl fork-freeze source
frozen_tick=$(tick source) cpu=$(cpu_time source) disk_sum=$(sha256sum </data/source.img)
case $(flags_of source) in *s*) ok 'it is suspended' ;; *) fail 'it is suspended' "$(flags_of source)" ;; esac
is 'xl fork-list shows it' "$(xl fork-list --json | jq -r '.[0] | .kind + " " + .name + " " + .state')" \
    'frozen source frozen'
is 'its role in xenstore' "$(role_of source)" frozen
check 'to freeze it again changes nothing' xl fork-freeze source
is 'no image yet' "$(kinds image)" 0

first=$(xl fork -n 2 --paused --json source)
is 'the first fork makes the image' "$(kinds image)" 1
at_least 'by sharing the source' "$(json .counters.pages_shared <<<"$first")" 20000
from_the_instant source-1
from_the_instant source-2

later=$(xl fork -n 3 --paused --json source)
is 'later forks use that image' "$(kinds image) $(json .image.name <<<"$later")" "1 $(json .image.name <<<"$first")"
is 'they share no page anew' "$(jq .counters.pages_shared <<<"$later")" 0
from_the_instant source-5
diag "first fork: $(jq -c .timings_ns <<<"$first")"
diag "later fork: $(jq -c .timings_ns <<<"$later")"

is 'the source has executed nothing' "$(cpu_time source)" "$cpu"
is 'its disk is as it was' "$(sha256sum </data/source.img)" "$disk_sum"
is 'xl fork-info' "$(xl fork-info source | head -n 1)" \
    "source: frozen source, forked from $(json .image.name <<<"$first")"

# The image stays for later forks, also without clones.
check 'its clones are destroyed' xl fork-destroy source-1 source-2 source-3 source-4 source-5
is 'the image stays' "$(kinds image)" 1
check 'one more fork' xl fork --paused source once-more
from_the_instant once-more

check 'xl fork-thaw' xl fork-thaw source
check 'the source ticks on' ticks_on source
is 'its role in xenstore' "$(role_of source)" source
is 'it is the same guest' "$(field source token)" "$token"
is 'nothing in it reconnected' "$(field source resumed)" 0
is 'the image stays for its clone' "$(kinds image)" 1
xl unpause once-more
check 'the clone goes on' ticks_on once-more 60
check 'to thaw it again is refused' says_no 'not frozen' xl fork-thaw source
check 'the clone is destroyed' xl fork-destroy once-more
check 'the image goes with it' wait_until 30 no_images
same_host 'nothing is left' "$host_before" "$(host)"

# A paused source.
xl pause source
check 'a paused source is frozen' xl fork-freeze source
check 'and thawed' xl fork-thaw source
case $(flags_of source) in *p*) ok 'it is paused again' ;; *) fail 'it is paused again' "$(flags_of source)" ;; esac
xl unpause source
check 'it ticks on' ticks_on source
done_testing

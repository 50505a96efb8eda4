#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Clones and their source read their parameters in xenstore, and nobody else can.
# alone: yes
# live: --source --timeout 180
# full: 4.17 4.20
. "$(dirname "$0")/../lib/lib.sh"

# told DOM NODE: what dom0 reads below fork/
told() { xenstore-read "/local/domain/$(domid_of "$1")/fork/$2" 2>/dev/null; }
# reads DOM PATH [FIELD]: what that guest reads there itself
reads() { ask "$1" "read $2" | jq -r ".${3:-value}"; }

is 'a domain that was never forked is told nothing' "$(told source role)" ''

hard=$'two words, "quotes" \'and\' \\ and = and\ttab'
long=$(printf '%01024d' 7)
cat >/data/params.json <<END
[ { "who": "first", "number": 1.50, "on": true, "hard": $(jq -n --arg v "$hard" '$v') },
  { "who": "second", "number": -3, "on": false, "long": "$long", "empty": "" } ]
END
check 'fork with parameters' eval "xl fork -n 2 --json --param all=both --param who=nobody \
    --params-file /data/params.json source p >/data/result.json"
check 'they run' eval 'wait_until 60 ticks_on p-1 && wait_until 60 ticks_on p-2'

is 'source: role' "$(reads source fork/role)" source
generation=$(reads source fork/generation)
like_uuid() { [[ $1 =~ ^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$ ]]; }
check 'source: a generation' like_uuid "$generation"
is 'source: no entropy' "$(reads source fork/entropy error)" ENOENT

is 'first: role' "$(reads p-1 fork/role)" clone
is 'first: source' "$(reads p-1 fork/source)" source
is 'first: index' "$(reads p-1 fork/index)" 0
is 'second: index' "$(reads p-2 fork/index)" 1
first=$(reads p-1 fork/generation) second=$(reads p-2 fork/generation)
check 'first: a generation' like_uuid "$first"
isnt "second: another" "$second" "$first"
isnt "neither is the source's" "$generation" "$first"
is 'in the result' "$(jq -r '[.clones[].generation] | join(" ")' /data/result.json)" "$first $second"
is 'in fork-info' "$(info p-1 .generation)" "$first"
entropy=$(reads p-1 fork/entropy)
check '64 bytes of entropy' eval '[[ $entropy =~ ^[0-9a-f]{128}$ ]]'
isnt 'second: others' "$(reads p-2 fork/entropy)" "$entropy"

is 'a parameter of all' "$(reads p-1 fork/params/all) $(reads p-2 fork/params/all)" 'both both'
is "the file's counts" "$(reads p-1 fork/params/who) $(reads p-2 fork/params/who)" 'first second'
is 'numbers as written' "$(reads p-1 fork/params/number) $(reads p-2 fork/params/number)" '1.50 -3'
is 'truth' "$(reads p-1 fork/params/on) $(reads p-2 fork/params/on)" 'true false'
is 'blanks, quotes, backslash, tab' "$(reads p-1 fork/params/hard)" "$hard"
is '1024 bytes' "$(reads p-2 fork/params/long)" "$long"
is 'none' "$(reads p-2 fork/params/empty)" ''
is "not the other's" "$(reads p-2 fork/params/hard error)" ENOENT

one=$(domid_of p-1) two=$(domid_of p-2)
for node in fork/role fork/params/who fork/entropy fork/generation; do
    is "another guest: $node" "$(reads p-2 "/local/domain/$one/$node" error)" EACCES
    is "the source: $node" "$(reads source "/local/domain/$one/$node" error)" EACCES
done
is "the source's, too" "$(reads p-1 "/local/domain/$(domid_of source)/fork/generation" error)" EACCES
for node in fork/role fork/new fork/params/who fork/params/new; do
    is "it cannot write $node" "$(ask p-1 "write $node x" | json .error)" EACCES
done
is "nor in another's data" "$(ask p-2 "write /local/domain/$one/data/fork/ack $first" | json .error)" EACCES
is 'and nothing has changed' "$(reads p-1 fork/role) $(reads p-1 fork/params/who)" 'clone first'
is 'owner dom0, that guest may read' \
    "$(xenstore-ls -fp "/local/domain/$two/fork" | sed 's/.*(\(.*\))$/\1/' | sort -u)" "n0,r$two"

# It keeps what it has.
check 'fork it again' xl fork --param who=third source again
is 'source: the same generation' "$(reads source fork/generation)" "$generation"
wait_until 60 ticks_on again
is 'the third: its own' "$(reads again fork/params/who)" third
check 'fork a clone' xl fork p-1 nested
wait_until 60 ticks_on nested
is 'its role and source' "$(reads nested fork/role) $(reads nested fork/source)" 'clone p-1'
is 'no parameters come with it' "$(reads nested fork/params/who error)" ENOENT
is 'who was forked stays who it was' "$(reads p-1 fork/role) $(reads p-1 fork/generation)" "clone $first"

# Requests that are refused before anything is done.
domains() { xl list | awk '{ print $1, $2 }'; }
before=$(domains)
refuses() {
    local output status=0
    output=$(xl fork "${@:2}" source bad 2>&1) || status=$?
    if [ "$status" -eq 2 ]; then ok "refused: $1"; else fail "refused: $1" "status $status" "$output"; fi
}
refuses 'a key with a slash' --param a/b=c
refuses 'a key with a leading dot' --param .a=c
refuses 'no key' --param =c
refuses 'no value' --param a
refuses '1025 bytes' --param "a=${long}x"
refuses 'too few objects' -n 3 --params-file /data/params.json
refuses 'too many objects' --params-file /data/params.json
echo '[{"a": "x\u0000y"}]' >/data/nul.json
refuses 'a NUL' --params-file /data/nul.json
echo '[{"a": ["x"]}]' >/data/list.json
refuses 'a list' --params-file /data/list.json
is 'nothing was made' "$(domains)" "$before"

check 'all go' xl fork-destroy p-1 p-2 again nested
done_testing

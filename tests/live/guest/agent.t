#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The agent in the guest makes a clone a machine of its own, once for each fork. dom0 plays the toolstack's part of
# the interface by hand, so that nothing else is needed.
# live: --source --timeout 300
# full: 4.17 4.20
. "$(dirname "$0")/../lib/lib.sh"

node() { xenstore-read "/local/domain/$(domain "$1")/$2" 2>/dev/null; }

new_hex() { head -c "$1" /dev/urandom | od -An -v -tx1 | tr -d ' \n'; }

# introduce CLONE GENERATION INDEX [KEY=VALUE…]: what the toolstack says to a new clone, in one transaction
introduce() {
    local dir pairs=() param
    dir=/local/domain/$(domain "$1")/fork
    for param in "${@:4}"; do
        pairs+=("$dir/params/${param%%=*}" "${param#*=}")
    done
    # All of it becomes readable with its directory, so that comes first.
    xenstore-write "$dir" '' && xenstore-chmod "$dir" n0 "r$(domain "$1")" || return
    xenstore-write "$dir/role" clone "$dir/source" source "$dir/index" "$3" "$dir/entropy" "$(new_hex 64)" \
        ${pairs[@]+"${pairs[@]}"} "$dir/generation" "$2"
}

acked() { [ "$(node "$1" data/fork/ack)" = "$2" ]; }

# identity DOM FIELD
identity() { ask "$1" identity | json ".$2"; }

fork_paused() { xl fork --paused --no-hydrate "${@:3}" "$1" "$2"; }

# Two clones, told who they are before they run.

start_agent source
before=$(ask source identity)
is 'the source has its own host name' "$(json .hostname <<<"$before")" source
is 'the agent of the source did nothing' "$(json '.adapted | length' <<<"$before")" 0
check 'xl fork' fork_paused source web -n 2
one=$(cat /proc/sys/kernel/random/uuid) two=$(cat /proc/sys/kernel/random/uuid)
check 'the first is told who it is' introduce web-1 "$one" 0 hostname=alpha ip=10.0.0.77/24 "greeting=it's \$HOME"
check 'the second is told who it is' introduce web-2 "$two" 1
sleep 8 # for the clock to fall behind
xl unpause web-1
xl unpause web-2
check 'the first acknowledges' wait_until 150 acked web-1 "$one"
check 'the second acknowledges' wait_until 150 acked web-2 "$two"
first=$(ask web-1 identity) second=$(ask web-2 identity)
diag "$first"
diag "$second"
is 'host name by parameter' "$(json .hostname <<<"$first")" alpha
is 'host name by default: that of the domain' "$(json .hostname <<<"$second")" web-2
is 'address by parameter' "$(json .address <<<"$first")" 10.0.0.77/24
is 'without: not the address of the source' "$(json .address <<<"$second")" ''
for field in machine_id ssh_key random; do
    isnt "$field: no two the same" "$(json ".$field" <<<"$first")" "$(json ".$field" <<<"$second")"
    isnt "$field: not that of the source" "$(json ".$field" <<<"$first")" "$(json ".$field" <<<"$before")"
    isnt "$field: not that of the source, the other" "$(json ".$field" <<<"$second")" "$(json ".$field" <<<"$before")"
done
is 'random: 32 bytes' "$(json '.random | length' <<<"$first")" 64
is 'hooks ran once' "$(json '.adapted | join(" ")' <<<"$first")" "$one"
is 'hooks of the other ran once' "$(json '.adapted | join(" ")' <<<"$second")" "$two"
environment=$(json '.environment[]' <<<"$first")
for line in XENFORK_ROLE=clone XENFORK_SOURCE=source XENFORK_INDEX=0 XENFORK_NAME=web-1 \
    "XENFORK_GENERATION=$one" "XENFORK_PARAM_GREETING=it's \$HOME" XENFORK_PARAM_IP=10.0.0.77/24; do
    check "environment of hooks: $line" grep -qxF "$line" <<<"$environment"
done
is 'the agent has nothing to complain of' "$(json .agent_log <<<"$first" | grep 'xenfork-agent:')" ''
check 'the clock was stepped: clone and source agree after 8 s of pause' same_clock web-1 source

# A running clone gets another generation: the agent notices without a suspension.
three=$(cat /proc/sys/kernel/random/uuid)
check 'a new generation' introduce web-2 "$three" 1 hostname=beta
check 'the agent notices' wait_until 150 acked web-2 "$three"
second=$(ask web-2 identity)
is 'and adapts again' "$(json '.hostname + " " + (.adapted | join(" "))' <<<"$second")" "beta $two $three"
for clone in web-1 web-2; do xl fork-destroy "$clone"; done

# Freezing reads like fork(2). An ordinary fork of a source that waits to be frozen is the same to the guest.
ask source freeze >/dev/null
asked() { [ "$(node source data/fork/freeze)" = 1 ]; }
check 'xenfork-agent freeze asks for it' wait_until 60 asked
check 'xl fork, while it waits' fork_paused source frozen
four=$(cat /proc/sys/kernel/random/uuid)
check 'the clone is told who it is' introduce frozen "$four" 0 hostname=gamma
xl unpause frozen
check 'the clone acknowledges' wait_until 150 acked frozen "$four"
returned() { [ -n "$(identity "$1" freeze_status)" ]; }
check 'freeze returns in the clone' wait_until 60 returned frozen
clone=$(ask frozen identity)
is 'in the clone: clone, and 10' "$(json '.freeze_output + " " + .freeze_status' <<<"$clone")" 'clone 10'
is 'no complaint' "$(json .freeze_error <<<"$clone")" ''
is 'freeze and watch together adapt once' "$(json '.adapted | join(" ")' <<<"$clone")" "$four"
is 'its host name' "$(json .hostname <<<"$clone")" gamma
is 'the source waits on' "$(identity source freeze_status)" ''
xenstore-write "/local/domain/$(domain source)/data/fork/freeze" 0
check 'freeze returns in the source' wait_until 60 returned source
source=$(ask source identity)
is 'in the source: source, and 0' "$(json '.freeze_output + " " + .freeze_status' <<<"$source")" 'source 0'
is 'the source did not adapt' "$(json '.hostname + (.adapted | join(" "))' <<<"$source")" source
xl fork-destroy frozen

# The host says no.
ask source freeze >/dev/null
wait_until 60 asked
source_dir=/local/domain/$(domain source)
xenstore-write "$source_dir/fork/error" 'no room'
xenstore-chmod -r "$source_dir/fork" n0 "r$(domain source)"
xenstore-write "$source_dir/data/fork/freeze" 0
check 'freeze returns' wait_until 60 returned source
source=$(ask source identity)
is 'not frozen: nothing printed, 1' "$(json '.freeze_output + " " + .freeze_status' <<<"$source")" ' 1'
is 'the reason' "$(json .freeze_error <<<"$source")" 'xenfork-agent: not frozen: no room'
check 'the source ticks on' ticks_on source
done_testing

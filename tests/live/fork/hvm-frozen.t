#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A frozen HVM guest that a BIOS has booted: eight clones at once, made side by side, go on from the instant of the freeze.
# What they cost, beside a restore of the same domain.
# live: --timeout 900
# full: 4.17 4.20
. "$(dirname "$0")/../lib/lib.sh"
. "$LIVE/refuse.sh"
. "$LIVE/counting.sh"
. "$LIVE/hvm.sh"

CLONES='f-1 f-2 f-3 f-4 f-5 f-6 f-7 f-8'
qemus() { pgrep -c -f -- '-xen-domid [1-9]'; }
qemu_of() { pgrep -f -- "-xen-domid $(domid_of "$1") "; }
# of_qemu DOM FIELD: KiB of its QEMU, by smaps_rollup
of_qemu() { awk -v field="$2:" '$1 == field { print $2 }' "/proc/$(qemu_of "$1")/smaps_rollup"; }
ms() { echo $(($(date +%s%N) / 1000000)); }
# spent RESULT: of each clone, and of all, in ms
spent() { jq -c '[.clones[].timings_ns.create / 1e6 | round], [.clones[].timings_ns.fork / 1e6 | round], (.timings_ns | map_values(. / 1e6 | round))' <<<"$1" | paste -sd' '; }

# from_the_instant NAME: the clone's first count follows the source's last
from_the_instant() {
    local first=''
    xl unpause "$1"
    wait_until 60 is_past "$1" "$still"
    first=$(said "$1" | head -n 1)
    xl pause "$1"
    at_least "$1: not before the instant" "$first" "$still"
    at_least "$1: nor after" "$((still + 2))" "$first"
}

"$LIVE/boot-counter" /data/froz.img
hvm_config froz /data/froz.img 1 'memory = 48' >/data/froz.cfg
timeout 120 xl create -q /data/froz.cfg || bail_out 'no HVM domain'
check 'its BIOS boots, and it counts' wait_until 240 is_past froz 2
check 'it is frozen' timeout 60 xl fork-freeze froz
still=$(last froz)
ran=$(cpu_time froz)

one=$(timeout 120 xl fork --paused --json froz g)
isnt 'one clone' "$one" ''
diag "one: $(spent "$one")"
check 'it is destroyed' timeout 60 xl fork-destroy g
start=$(ms)
eight=$(timeout 300 xl fork -n 8 --paused --json froz f)
diag "eight after $(($(ms) - start)) ms: $(spent "$eight")"
is 'eight clones at once' "$(jq '.clones | length' <<<"$eight")" 8
is 'each has its QEMU' "$(qemus)" 9
is 'and a display with a port of its own' "$(for guest in froz $CLONES; do node "$guest" console/vnc-port; done | sort -u | wc -l)" 9
is 'time in which several were made is counted once' \
    "$(jq '([.clones[].timings_ns.total] | add) <= .timings_ns.total' <<<"$eight")" true
for clone in $CLONES; do from_the_instant "$clone"; done
all_are_past() { for clone in $CLONES; do is_past "$clone" "$1" || return 1; done; }
last=$(for clone in $CLONES; do last "$clone"; done | sort -n | tail -n 1)
for clone in $CLONES; do xl unpause "$clone"; done
check 'all of them count on, beside each other' wait_until 240 all_are_past "$last"
is 'the source has executed nothing' "$(cpu_time froz)" "$ran"
is 'and counts no further' "$(last froz | grep -vx "$still")" ''
sleep 10
for clone in froz f-1 f-8; do
    diag "$clone: $(xl fork-list --json | jq -c ".[] | select(.name == \"$clone\") | {private_kib, host_kib}")" \
        "QEMU: RSS $(of_qemu "$clone" Rss) KiB, PSS $(of_qemu "$clone" Pss), private $(($(of_qemu "$clone" Private_Dirty) + $(of_qemu "$clone" Private_Clean)))"
done
# shellcheck disable=SC2086
check 'they are destroyed' timeout 240 xl fork-destroy $CLONES
is 'and their QEMUs are gone' "$(qemus)" 1
check 'it is thawed' timeout 60 xl fork-thaw froz
check 'and counts on' counts_on froz
check 'nothing of ours is left' wait_until 20 nothing_of_ours

# A restore, to compare.
check 'it is saved' timeout 120 xl save froz /data/froz.save
start=$(ms)
check 'and restored' timeout 120 xl restore /data/froz.save
diag "restored after $(($(ms) - start)) ms"
xl destroy froz
done_testing

#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# An HVM guest with PV drivers on its device model: Linux, forked running and frozen. Disk and NIC are Xen's, the
# emulated ones unplugged; display and serial port are QEMU's.
# live: --timeout 900
# full: 4.17 4.20
. "$(dirname "$0")/../lib/lib.sh"
. "$LIVE/refuse.sh"
. "$LIVE/hvm.sh"

# shellcheck disable=SC2016  # expanded inside
greets() { timeout 20 bash -c 'exec 3<>"/dev/tcp/127.0.0.1/$0" && head -c 3 <&3' "$1"; }
# speaks DOM: what it writes to its serial port comes out at the other end
speaks() {
    timeout 30 grep -m 1 -a "here is $1" "$(node "$1" serial/0/tty)" >/dev/null &
    sleep 1
    ask "$1" "sh echo here is $1 >/dev/ttyS0" >/dev/null
    wait $!
}

start_hvm lx 'vif = [ "bridge=xenbr0,mac=00:16:3e:00:00:09" ]'
diag "after $SECONDS s"
is 'its disk is connected' "$(xenstore-read "/local/domain/0/backend/vbd/$(domid_of lx)/51712/state")" 4
is 'and its NIC' "$(xenstore-read "/local/domain/0/backend/vif/$(domid_of lx)/0/state")" 4

token=$(field lx token)
before=$(ask lx mark before | json .acked)
result=$(timeout 120 xl fork --json lx c)
isnt 'it is forked' "$result" ''
diag "$(jq -c '.counters, .timings_ns, .clones[0].because' <<<"$result" | paste -sd' ')"
check 'the clone ticks on' wait_until 120 ticks_on c
check 'the source, too' ticks_on lx 60
view=$(ask c view)
is 'same token in memory' "$(json .token <<<"$view")" "$token"
at_least 'memory of the instant' "$(json .tick <<<"$view")" "$before"
is 'it noticed that it is a copy' "$(json .resumed <<<"$view")" 1
is 'the source did not' "$(field lx resumed)" 0
isnt 'another MAC' "$(json .mac <<<"$view")" 00:16:3e:00:00:09
ask c mark clone-only >/dev/null
is "the clone's disk is whole" "$(ask c verify | json .errors)" 0
is "the source's, too" "$(ask lx verify | json .errors)" 0
isnt 'the display has a port of its own' "$(node c console/vnc-port)" "$(node lx console/vnc-port)"
is 'where one can look at it' "$(greets "$(node c console/vnc-port)")" RFB
check 'its serial port speaks' speaks c
vif=vif$(domid_of c).0
check 'its PV NIC is held' held "$vif"
check 'the clone is destroyed' timeout 60 xl fork-destroy c

check 'it is frozen' timeout 60 xl fork-freeze lx
check 'and forked from there' timeout 180 xl fork -n 2 lx f
check 'the first clone ticks on' wait_until 120 ticks_on f-1
check 'the second, too' wait_until 120 ticks_on f-2
check 'it is thawed' timeout 60 xl fork-thaw lx
check 'and ticks on' ticks_on lx 60
check 'the clones are destroyed' timeout 120 xl fork-destroy f-1 f-2
check 'nothing of ours is left' wait_until 20 nothing_of_ours
done_testing

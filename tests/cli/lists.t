#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# fork-check, fork-list, fork-info, fork-destroy, fork-image-destroy.

# shellcheck source=tests/cli/lib.sh
. "${srcdir:?}/tests/cli/lib.sh"

use_fake
export FAKE_LOG="$dir/log"

out_has() {
    grep -q -e "$1" "$dir/out"
}

plan 77

run "$xl" fork-check web1
check 'check: can' is "$status $(cat "$dir/out")" '0 web1 can be forked
  xvda: reflink, it can'
run "$xl" fork-check --json web1
check 'check: JSON, a driver' out_has '"driver": "reflink"'
export FAKE_FAIL=check:-15
run "$xl" fork-check web1
check 'check: only memory' is "$status" 4
export FAKE_FAIL=check:-7
run "$xl" fork-check web1
check 'check: cannot' is "$status" 1
check 'check: why' out_has '^  web1 is a PV guest$'
check 'check: what to do' out_has '^      make it PVH$'
run "$xl" fork-check --json web1
check 'check: JSON, status' is "$status" 1
check 'check: JSON, code' out_has '"code": "PV"'
check 'check: JSON, answer' out_has '"can_fork": false'
unset FAKE_FAIL

run "$xl" fork-list
check 'list: exit status' is "$status" 0
check 'list: image' out_has \
    '^web1-image   4  ready    128.0   124.0      4.0   6.0         -  -          web1$'
check 'list: clone' out_has \
    '^  web1-1     -  stopped  128.0   124.0      4.0   6.0       50%  -          web1-image$'
check 'list: why a clone could not adapt' out_has \
    '^clone web1-1 could not adapt: 40-network: no "way"$'
FAKE_EPHEMERAL=crash run "$xl" fork-list
check 'list: ephemeral' out_has '  50%  crash      web1-image$'
FAKE_EPHEMERAL=poweroff run "$xl" fork-list --json
check 'list: JSON, ephemeral' out_has '"ephemeral": "poweroff"'
FAKE_EPHEMERAL=crash run "$xl" fork-info web1-1
check 'info: ephemeral' out_has \
    '^  ephemeral removed when it powers off, crashes or is destroyed$'
check 'info: hydration' out_has '^  hydrated  50%, needs its image; --hydrate=auto$'
run "$xl" fork-list --json
check 'list: JSON, hydration' out_has '"hydrate": "auto"'
check 'list: JSON, not ephemeral' out_has '"ephemeral": null'
check 'list: JSON, stopped clone' out_has '"domid": null'
check 'list: JSON, memory' out_has '"private_kib": 4096'
check 'list: JSON, what it costs' out_has '"host_kib": 6144'
check 'list: JSON, generation' out_has '"generation": "generation-1"'
check 'list: JSON, NICs' is "$(grep '"link":' "$dir/out" | tr -d ' \n')" \
    '"link":"hold","link":"connect","link":"auto",'
check 'list: JSON, whether they are held' is "$(grep '"net":' "$dir/out" | tr -d ' \n')" \
    '"net":null"net":null"net":null'
FAKE_RUNNING=1 run "$xl" fork-list --json
check 'list: JSON, of one that runs' is "$(grep '"net":' "$dir/out" | tr -d ' \n')" \
    '"net":"held""net":"connected""net":"connected"'
check 'list: JSON, disk' out_has '"path": "/disks/web1-1.img"'
check 'list: JSON, driver' out_has '"driver": "reflink"'
FAKE_FAIL=list:-5 run "$xl" fork-list
check 'list: failure' is "$status" 1
run sh -c '"$1" fork-list >/dev/full' sh "$xl"
check 'list: stdout is full' is "$status" 1

run "$xl" fork-disk-list
check 'disk-list: exit status' is "$status" 0
check 'disk-list: an overlay' out_has \
    '^  web1-1  xvda  reflink  64.0    -      1      -  /disks/web1-1.img$'
FAKE_NAME_1="$(printf 'a\377\303b\n\303\274')" run "$xl" fork-list --json
check 'list: a name that is no UTF-8 does not keep the others back' \
    is "$status $(grep -c '"name": "web1-image"' "$dir/out")" '0 1'
check 'list: it is shown as far as it can be read' \
    out_has "$(printf '"name": "a\357\277\275\357\277\275b\\\\n\303\274"')"
FAKE_NAME_1="$(printf 'a\nb')" run "$xl" fork-list
check 'list: a line for each' out_has '^  a?b  '
run "$xl" fork-disk-list --json
check 'disk-list: JSON, known' out_has '"allocated_kib": 65536'
check 'disk-list: JSON, not known' out_has '"own_kib": null'
FAKE_FAIL=usage:-17 run "$xl" fork-disk-list
check 'disk-list: storage that does not answer' is "$status" 1
check 'disk-list: it is listed' out_has \
    '^  web1-1  xvda  reflink    -    -      1      -  /disks/web1-1.img$'

run "$xl" fork-memory
check 'memory: exit status' is "$status" 0
check 'memory: the host' out_has '^free  *2.0$'
check 'memory: a source' out_has '^web1  *3  running  *6.0  *4.0  *3.0  *7.0  *-  *-$'
check 'memory: a clone' out_has '^  web1-1  *5  paused: memory  *26.0  *24.0  *23.0  *27.0  *50  *1\.$'
check 'memory: what comes next' out_has '^Below 64 MiB free xenforkd pauses clones .*; they go on at 96 MiB'
run "$xl" fork-memory --json
check 'memory: JSON' out_has '"paused_turn": 1'
check 'memory: JSON, limits' out_has '"low_kib": 65536'
check 'memory: JSON, guarded' out_has '"guard": true'
FAKE_PID_FILE="$dir/no-daemon" run "$xl" fork-memory
check 'memory: without xenforkd' out_has '^xenforkd is not running: nobody pauses clones'
check 'memory: without xenforkd: no limits' is "$(grep -c '^Below' "$dir/out")" 0
FAKE_PID_FILE="$dir/no-daemon" run "$xl" fork-memory --json
check 'memory: JSON, not guarded' out_has '"guard": false'
FAKE_FAIL=memory:-5 run "$xl" fork-memory
check 'memory: failure' is "$status" 1

run "$xl" fork-info web1-1
check 'info: clone' out_has '^web1-1: clone of web1-image$'
check 'info: detached' out_has \
    '^  detached  100%, shares nothing$'
check 'info: identity' out_has \
    '^  identity  generation generation-1, acknowledged$'
check 'info: why it is not ready' out_has '^  error     40-network: no "way"$'
check 'info: random numbers' out_has '^  rng       reseeded$'
check 'info: a NIC' out_has \
    '^  nic       2 00:16:3e:00:00:01 held until it has acknowledged$'
check 'info: a disk' out_has '^  disk      xvda reflink /disks/web1-1.img$'
check 'info: memory' out_has '128.0 MiB: 124.0 shared, 4.0 private; costs 6.0$'
run "$xl" fork-info 4
check 'info: image by domid' out_has '^web1-image: image of web1$'
run "$xl" fork-info --json web1
check 'info: images of a source' out_has '"source": "web1"'
run "$xl" fork-info 3
check 'info: images of a source by its domid' out_has '^web1-image: image of web1$'
run "$xl" fork-info nobody
check 'info: nobody' is "$status" 1

: >"$FAKE_LOG"
FAKE_FAIL=b:-12 run "$xl" fork-start a b c
check 'start: goes on' is "$(grep -c '^start ' "$FAKE_LOG")" 3
check 'start: exit status' is "$status" 1
: >"$FAKE_LOG"
FAKE_FAIL=b:-24 run "$xl" fork-destroy a b c
check 'destroy: goes on' is "$(paste -sd' ' "$FAKE_LOG")" \
    'batch destroy a destroy b destroy c end'
check 'destroy: exit status is the worst' is "$status" 3
FAKE_FAIL=end:-24 run "$xl" fork-destroy a b
check 'destroy: what fails at the end counts, too' is "$status" 3
: >"$FAKE_LOG"
FAKE_FAIL=a:-16 run "$xl" fork-hydrate a b
check 'hydrate: goes on' is "$status $(paste -sd' ' "$FAKE_LOG")" '1 batch hydrate a 0 hydrate b 0 end'
: >"$FAKE_LOG"
run "$xl" fork-image-destroy i
check 'image-destroy' is "$status $(cat "$FAKE_LOG")" '0 image-destroy i'
FAKE_FAIL=i:-16 run "$xl" fork-image-destroy i
check 'image-destroy: in use' is "$status" 1

export FAKE_JOURNAL=1
run "$xl" fork-list
check 'list: a journal' out_has \
    '^journal 00000000-0000-0000-0000-000000000002: stuck: cannot open /nfs/a.img$'
run "$xl" fork-list --json
check 'list: JSON, a journal' is "$(tr -d ' \n' <"$dir/out" | grep -o '"kind":"journal".*"reason":"[^"]*"')" \
    '"kind":"journal","name":"00000000-0000-0000-0000-000000000002","state":"stuck","reason":"cannotopen/nfs/a.img"'
unset FAKE_JOURNAL
: >"$FAKE_LOG"
run "$xl" fork-recover
check 'recover' is "$status $(cat "$FAKE_LOG")" '0 recover'
FAKE_FAIL=recover:-24 run "$xl" fork-recover
check 'recover: something is left' is "$status" 3
: >"$FAKE_LOG"
run "$xl" fork-recover --set-aside 1
check 'recover: set aside' is "$status $(cat "$FAKE_LOG")" '0 set-aside 1'
run "$xl" fork-recover 1
check 'recover: wrong' is "$status" 2

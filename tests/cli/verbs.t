#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# The verbs: their calls of the library, output and exit status.

# shellcheck source=tests/cli/lib.sh
. "${srcdir:?}/tests/cli/lib.sh"

use_fake
export FAKE_LOG="$dir/log"

# asks WANT ARGUMENT...: WANT is the library's calls, separated by "; ".
asks() {
    want=$1
    shift
    : >"$FAKE_LOG"
    run "$xl" "$@"
    check "$*" is "$(paste -sd';' "$FAKE_LOG" | sed 's/;/; /g')" "$want"
}

# wrong ARGUMENT...: a usage error, which asks for nothing.
wrong() {
    : >"$FAKE_LOG"
    run "$xl" "$@"
    check "usage error: $*" is "$status $(wc -c <"$dir/out") \
$(grep -c -e fork -e check -e destroy -e detach -e nic- -e freeze -e thaw -e stop -e reset -e hydrate "$FAKE_LOG")" '2 0 0'
}

# fails CODE STATUS ARGUMENT...
fails() {
    want=$2
    export FAKE_FAIL="$1"
    shift 2
    run "$xl" "$@"
    unset FAKE_FAIL
    check "$* fails: $want" is "$status" "$want"
}

out_has() {
    grep -q -e "$1" "$dir/out"
}

plan 275

asks 'new 1; flags 0; fork 3' fork web1
check 'exit status' is "$status" 0
check 'nothing on stderr' is "$(cat "$dir/err")" ''
check 'the stun is told' out_has 'stood still for 210 ms'
check 'what is reserved' out_has '^1 clone: 64 MiB reserved of 256 they may write; web1: 128 MiB$'
check 'a held NIC' out_has '^web1-1   5  00:16:3e:00:00:01  vif5.0  held$'
check 'how to connect it' out_has 'To connect it by hand: xl fork-net web1-1 connect$'
FAKE_PID_FILE="$dir/no-daemon" run "$xl" fork web1
check 'without xenforkd: it is done' is "$status" 0
check 'without xenforkd: what is missing' is \
    "$(grep -c 'xenforkd is not running: nobody applies' "$dir/err")" 1
check 'without xenforkd: nobody guards the memory' grep -q 'memory is low' "$dir/err"
FAKE_PID_FILE="$dir/no-daemon" run "$xl" fork --ephemeral web1
check 'without xenforkd: nobody removes ephemeral clones' grep -q 'ephemeral' "$dir/err"
FAKE_PID_FILE="$dir/no-daemon" run "$xl" fork-check web1
check 'a check says nothing of it' is "$(cat "$dir/err")" ''
export FAKE_HOST=1
asks 'new 1; source 25; leave 65536; flags 0; fork 3' fork web1
printf '%s\n' 'source_reserve = 40' 'memory_low = 50' >"$dir/host.conf"
FAKE_CONFIG_FILE="$dir/host.conf" asks 'new 1; source 40; leave 51200; flags 0; fork 3' fork web1
FAKE_CONFIG_FILE="$dir/host.conf" asks 'new 1; source 40; leave 51200; check 3 spec' fork-check web1
FAKE_PID_FILE="$dir/no-daemon" asks 'new 1; source 100; check 3 spec' fork-check web1
unset FAKE_HOST
asks 'new 1; flags 0; fork 3' -v fork 3
asks 'new 1; name 0 test; flags 0; fork 3' fork web1 test
asks 'new 2; name 0 w-1; name 1 w-2; flags 0; fork 3' fork -n 2 web1 w
asks 'new 2; flags 0; fork 3' fork web1 --count=2
check 'a clone without NICs' out_has '^web1-2   6  -  *-  *-$'
asks 'new 1; paused all 1; flags 0; fork 3' fork --paused web1
asks 'new 1; link all all 1; flags 0; fork 3' fork --net connect web1
asks 'new 1; link all all 0; flags 0; fork 3' fork --net hold web1
asks 'new 1; flags 0; prefix 02..56; fork 3' fork --mac-prefix 02:34:56 web1
asks 'new 1; link all all 2; flags 0; fork 3' fork --net auto web1
asks 'new 1; link all 1 2; flags 0; fork 3' fork --nic 1,link=auto web1
asks 'new 1; flags 0; param all a=b=c d; param all e=; fork 3' \
    fork --param 'a=b=c d' --param e= web1
printf '%s' '[{"s": "a \"b\"\u00e4", "n": 1.50},' ' {"t": true, "f": false}]' \
    >"$dir/params"
asks 'new 2; flags 0; param all s=x; param 0 s=a "b"ä; param 0 n=1.50; param 1 t=true; param 1 f=false; fork 3' \
    fork -n 2 --params-file "$dir/params" --param s=x web1
asks 'new 1; flags 0; fork 3; wait 60000' fork --wait web1
check 'ready: exit status' is "$status" 0
check 'ready: the time' out_has '^web1-1 .* held  *0.34 s$'
check 'ready: reseeded' out_has '^rng: reseeded: web1-1$'
asks 'new 2; flags 0; fork 3; wait 5000' fork --wait=5 -n 2 web1
check 'not ready: exit status' is "$status" 1
check 'not ready: the table' out_has '^web1-2 .* no$'
check 'not ready: not reseeded' out_has '^rng: not reseeded: web1-2$'
check 'not ready: by name' grep -q '^xl: web1-2 has not acknowledged$' "$dir/err"
asks 'new 3; flags 0; fork 3; wait 5000' fork --wait=5 -n 3 web1
check 'not adapted: exit status' is "$status" 1
check 'not adapted: the table' out_has '^web1-3 .* failed$'
check 'not adapted: reseeded all the same' out_has '^rng: reseeded: web1-1, web1-3$'
check 'not adapted: the reason' grep -q '^xl: web1-3 could not adapt: 40-network: no "way"$' "$dir/err"
asks 'new 3; flags 0; fork 3; wait 5000' fork --json --wait=5 -n 3 web1
check 'JSON: the reason' is "$(grep -c '"error": null' "$dir/out") \
$(grep -c '"error": "40-network: no \\"way\\""' "$dir/out")" '2 1'
asks 'new 2; flags 0; fork 3; wait 5000' fork --json --wait=5 -n 2 web1
check 'JSON: ready' is "$(grep -c '"rng": "reseeded"' "$dir/out") \
$(grep -c '"ready": false' "$dir/out") $(grep -c '"ready": 340000000' "$dir/out")" \
    '1 1 1'
check 'JSON: generation' out_has '"generation": "generation-2"'
asks 'nic-link web1-1 all 1' fork-net web1-1 connect
asks 'nic-link 7 2 0' fork-net 7 hold --nic=2
asks 'nic-bridge web1-1 all br1' fork-net web1-1 bridge=br1
asks 'nic-bridge web1-1 0 br1' fork-net --nic 0 web1-1 bridge=br1
asks 'new 1; mac 0 0 00..0f; bridge all 0 br1; link all 0 1; flags 0; fork 3' \
    fork --nic 0,mac=00:16:3E:00:00:0f,bridge=br1,link=connect web1
asks 'new 1; ip 0 0 10.8.0.7; flags 0; fork 3' fork --nic 0,ip=10.8.0.7 web1
asks 'new 2; ip 0 1 10.8.0.7; ip 1 1 2001:db8::7; flags 0; fork 3' \
    fork -n2 --nic 1,ip=10.8.0.7,clone=1 --nic 1,clone=2,ip=2001:db8::7 web1
asks 'new 2; bridge 1 0 a; mac 1 1 02..01; flags 0; fork 3' \
    fork -n2 --nic 0,clone=2,bridge=a --nic 1,mac=02:00:00:00:00:01,clone=2 web1
asks 'new 1; disk xvda none; disk xvdb lvthin; flags 0; fork 3' \
    fork --disk xvda=none --disk=xvdb=lvthin web1
asks 'new 1; uuid 0 01..ef; flags 0; fork 3' \
    fork --uuid 01234567-89ab-CDEF-0123-456789abcdef web1
asks 'new 1; percent 100; flags 0; fork 3' fork --reserve full web1
asks 'new 1; percent 0; flags 0; fork 3' fork --reserve 0% web1
asks 'new 1; percent 100; flags 0; fork 3' fork --reserve 100% web1
asks 'new 1; kib 65536; flags 0; fork 3' fork --reserve 64 web1
asks 'new 1; priority 0; flags 0; fork 3' fork --priority 0 web1
asks 'new 1; priority 99; flags 0; fork 3' fork --priority=99 web1
asks 'new 1; timeout 90000; flags 0; fork 3' fork --timeout 90 web1
asks 'new 1; quiesce 1; flags 0; fork 3' fork --quiesce=pause web1
asks 'new 1; flags 0; fork 3' fork --quiesce pause --quiesce auto web1
asks 'new 1; flags 1; fork 3' fork --no-hydrate web1
asks 'new 1; flags 1; fork 3' fork --hydrate=never web1
asks 'new 1; flags 32; fork 3' fork --hydrate auto web1
asks 'new 1; flags 0; fork 3' fork --no-hydrate --hydrate=auto --hydrate=now web1
asks 'new 1; flags 2; fork 3' fork --keep-image web1
asks 'new 1; flags 3; fork 3' fork --keep-image --no-hydrate --verbose web1
asks 'new 1; flags 4; fork 3' fork --ephemeral web1
asks 'new 1; flags 12; fork 3' fork --ephemeral=crash web1
asks 'new 1; flags 6; fork 3' fork --ephemeral=crash --keep-image --ephemeral=poweroff web1
printf 'ephemeral = "crash"\n' >"$dir/conf"
export FAKE_CONFIG_FILE="$dir/conf"
asks 'new 1; flags 12; fork 3' fork web1
asks 'new 1; flags 4; fork 3' fork --ephemeral web1
asks 'new 1; flags 0; fork 3' fork --ephemeral=off web1
printf 'hydrate = "auto"\n' >"$dir/conf"
asks 'new 1; flags 32; fork 3' fork web1
asks 'new 1; flags 0; fork 3' fork --hydrate=now web1
printf 'ephemeral = "crash"\nfreese = 1\n' >"$dir/conf"
asks 'new 1; flags 0; fork 3' fork web1
check 'a configuration that is wrong' grep -q '^xl: .*/conf:2: unknown key: freese, ignoring' "$dir/err"
FAKE_CONFIG_FILE="$dir/no-conf"
asks 'new 1; flags 0; fork 3' fork web1
unset FAKE_CONFIG_FILE
asks 'new 1; flags 0; fork 3' fork --timings web1
check 'timings' out_has '^web1-1  *total  *1500.000$'
check 'counters' out_has '^pages_shared 10$'
asks 'new 2; flags 0; fork 3' fork --json -n 2 web1
check 'JSON: the source' out_has '"domid": 3'
check 'JSON: a clone' out_has '"uuid": "01234567-89ab-cdef-0123-456789abcdef"'
check 'JSON: which way' is "$(grep -c '"made_by": "xenfork"' "$dir/out") $(grep -c '"because": "it has SPICE"' "$dir/out")" '1 1'
check 'JSON: timings' out_has '"stun": 210000000'
asks 'new 1; flags 0; check 3 spec' -N fork web1
check '-N: does not fork' out_has '^web1 can be forked$'

asks 'freeze 3 30000' fork-freeze web1
asks 'freeze 3 90000' fork-freeze --timeout=90 web1
asks 'thaw 3' fork-thaw 3
asks 'detach web1-1 - - 0' fork-detach web1-1
check 'detach: in the background' out_has '^web1-1 is being detached: '
asks 'detach web1-1 - - 0' fork-detach --wait web1-1
check 'detach: to its end' is "$status $(cat "$dir/out")" '0 '
asks 'detach web1-1 - - 10240' fork-detach --rate=10 --wait web1-1
asks 'detach web1-1 /x qcow2 0' fork-detach --to=/x --format=qcow2 --wait web1-1
asks 'stop web1-1' fork-detach --stop web1-1
fails freeze:-11 1 fork-freeze web1
fails detach:-15 1 fork-detach --wait web1-1
fails detach:-27 1 fork-detach --wait web1-1
fails detach:-28 1 fork-detach --wait web1-1
fails fork:-29 1 fork web1
fails stop:-23 1 fork-detach --stop web1
fails freeze:-24 3 fork-freeze web1
fails thaw:-25 1 fork-thaw web1

wrong fork
wrong fork web1 a b
wrong fork --nonsense web1
wrong fork -n 0 web1
wrong fork -n 1025 web1
wrong fork -n 2x web1
wrong fork -n -1 web1
wrong fork -n '' web1
wrong fork -n 18446744073709551617 web1
wrong fork --net up web1
wrong fork --nic '' web1
wrong fork --nic mac=00:16:3e:00:00:01 web1
wrong fork --nic 0,mac=00:16:3e:00:00 web1
wrong fork --nic 0,mac=00:16:3e:00:00:01:02 web1
wrong fork --nic 0,bridge= web1
wrong fork --nic 0,bridge=sixteen-letters- web1
wrong fork --nic 0,color=red web1
wrong fork --nic 0,clone=2,bridge=a web1
wrong fork -n 2 --nic 0,mac=00:16:3e:00:00:01 web1
wrong fork -n 2 --nic 0,ip=10.8.0.7 web1
wrong fork --nic 0,ip= web1
wrong fork --nic 0,ip=1.2.3.4,clone=2 web1
wrong fork --disk xvda web1
wrong fork --disk xvda= web1
wrong fork --disk =none web1
wrong fork --uuid 01234567-89ab-cdef-0123-456789abcde web1
wrong fork --uuid 01234567-89ab-cdef-0123-456789abcdef -n 2 web1
wrong fork --reserve 101% web1
wrong fork --reserve % web1
wrong fork --priority 100 web1
wrong fork --priority -1 web1
wrong fork --timeout 0 web1
wrong fork --quiesce suspend web1
wrong fork --timeout 3601 web1
wrong fork web1 a234567890123456789012345678901234567890123456789012345678901234
wrong fork --mac-prefix 02:34 web1
wrong fork --mac-prefix 02:34:56:78:9a:bc web1
wrong fork --mac-prefix 03:34:56 web1
wrong fork --param a web1
wrong fork --param =b web1
wrong fork --param bad=b web1
wrong fork --param 1234567890123456789012345678901234567890123456789012345678901234x=b web1
wrong fork --param ip=10.0.0.40 web1
check 'an address without prefix: said' grep -q \
    '^xl: --param ip=10.0.0.40: an address needs its prefix, as in 10.0.0.7/24$' "$dir/err"
wrong fork --param ip.eth1=10.0.0.40/33 web1
wrong fork --param gateway=10.0.0.256 web1
wrong fork --param nameserver=dns.example web1
wrong fork --param hostname=-a web1
printf '%s' '[{"hostname": "a_b"}]' >"$dir/params"
wrong fork --params-file "$dir/params" web1
check 'a wrong host name in a file: said' grep -q \
    ': clone 1: hostname: not a host name' "$dir/err"
asks 'new 1; flags 0; param all ip=10.0.0.40/24,2001:db8::40/64; param all address=10.0.0.40; fork 3' \
    fork --param ip=10.0.0.40/24,2001:db8::40/64 --param address=10.0.0.40 web1
wrong fork --wait=0 web1
wrong fork --wait=3601 web1
wrong fork --wait= web1
wrong fork --wait --paused web1
wrong fork --params-file "$dir/none" web1
printf '%s' '[{"a": "b"}, {"a": "c"}]' >"$dir/params"
wrong fork --params-file "$dir/params" web1
check 'two objects for one clone: said' grep -q 'more objects than clones' "$dir/err"
wrong fork --params-file "$dir/params" -n 3 web1
check 'two objects for three clones: said' grep -q 'fewer objects than clones' "$dir/err"
while read -r text; do
    printf '%s' "$text" >"$dir/params"
    wrong fork --params-file "$dir/params" web1
    check "$text: said" grep -q "^xl: $dir/params: " "$dir/err"
done <<'END'
{"a": "b"}
"a"
[]
[{"a": "b"}
[{"a": "b"}] x
[["a"]]
[{"a": null}]
[{"a": {"b": "c"}}]
[{"a": ["b"]}]
[{"a": "b\u0000c"}]
[{"a\u0000": "b"}]
[{"bad": "b"}]
[{"": "b"}]
END
printf '[{"a": "%01025d"}]' 1 >"$dir/params"
wrong fork --params-file "$dir/params" web1
printf '[{"a": "%01024d"}]' 1 >"$dir/params"
run "$xl" fork --params-file "$dir/params" web1
check '1024 bytes' is "$status" 0
wrong fork-net web1-1
wrong fork-net connect
wrong fork-net web1-1 auto
wrong fork-net web1-1 bridge=
wrong fork-net web1-1 up
wrong fork-net --nic x web1-1 connect
wrong fork-net web1-1 connect hold
wrong fork-list x
wrong fork-check
wrong fork-info
wrong fork-destroy
wrong fork-start
wrong fork-reset
wrong fork-reset --wait=0 a
wrong fork-reset --wait --paused a
wrong fork-reset --yes a
wrong fork-destroy --yes
wrong fork-forget
wrong fork-hydrate
wrong fork --hydrate web1
wrong fork --hydrate=later web1
wrong fork-image-destroy
wrong fork-image-destroy a b
wrong fork-freeze
wrong fork-freeze a b
wrong fork-freeze --timeout 0 web1
wrong fork-freeze --timeout 3601 web1
wrong fork-freeze --timeout
wrong fork-thaw
wrong fork-thaw a b
wrong fork-detach
wrong fork-detach a b
wrong fork-detach --rate 0 a
wrong fork-detach --rate 1x a
wrong fork-detach --wait --stop a
wrong fork-detach --format raw a
wrong fork-nonsense
wrong -N fork-destroy a

asks 'batch; forget a; forget b; end' fork-forget a b
asks 'destroy a' fork-destroy a
asks 'destroy a left' fork-destroy --yes a
asks 'batch; start a left; start b left; end' fork-start --yes a b
: >"$FAKE_LOG"
asks 'batch; reset a; reset b; end' fork-reset a b
check 'reset: what came of it' out_has '^web1-1 is where it was forked, as domain 5$'
asks 'reset a paused' fork-reset --paused a
# One time limit for all of them.
: >"$FAKE_LOG"
export FAKE_FAIL=wait:-11
run "$xl" fork-reset --wait=5 a b c
unset FAKE_FAIL
check 'reset: one time limit for all' is \
    "$(awk '{ print $1, $1 == "wait" ? int(($2 + 999) / 1000) : $2 }' "$FAKE_LOG" | paste -sd' ')" \
    'batch  reset a reset b reset c end  wait 5 wait 4 wait 3'
# A Ctrl-C ends the command, not only what is under way; also where this test runs in the background, which ignores it.
export FAKE_SIGNAL=b
for verb in destroy start forget reset; do
    : >"$FAKE_LOG"
    run env --default-signal=INT "$xl" "fork-$verb" a b c d
    check "$verb: a Ctrl-C is for all" is "$status $(paste -sd' ' "$FAKE_LOG")" \
        "1 batch $verb a $verb b end"
    check "$verb: says what is not begun" \
        grep -qx 'xl: interrupted; not begun: c, d' "$dir/err"
done
: >"$FAKE_LOG"
run env --default-signal=INT "$xl" fork-reset --wait a b
check 'reset: nobody waits after a Ctrl-C' is \
    "$status $(paste -sd' ' "$FAKE_LOG")" '1 batch reset a reset b end'
: >"$FAKE_LOG"
run env --default-signal=INT "$xl" fork-destroy a b
check 'a Ctrl-C that comes too late' is "$status" 0
unset FAKE_SIGNAL
asks 'reset a; wait 5000' fork-reset --wait=5 a
: >"$FAKE_LOG"
fails a:-16 1 fork-reset a b
check 'reset: goes on' is "$(grep -c '^reset' "$FAKE_LOG")" 2
: >"$FAKE_LOG"
fails a:-16 1 fork-start a </dev/null
check 'start: nobody is asked who cannot answer' is "$(cat "$FAKE_LOG")" 'start a'
: >"$FAKE_LOG"
fails a:-16 1 fork-destroy a </dev/null
check 'destroy: nobody is asked who cannot answer' is "$(cat "$FAKE_LOG")" \
    'destroy a'

fails open:-3 1 fork web1
fails fork:-5 1 fork web1
fails fork:-24 3 fork web1
check 'the error is told once' is "$(cat "$dir/err")" \
    "$(printf 'xl: the fake fails: No space left on device\nxl: try the real one')"
fails none:-1 1 fork nobody
fails web1-1:-23 1 fork-net web1-1 hold

# A wait for a lock ends with the first signal.
: >"$dir/lock"
flock "$dir/lock" sleep 30 &
holder=$!
for _ in $(seq 100); do
    flock -n "$dir/lock" true || break
    sleep 0.1
done
: >"$FAKE_LOG"
FAKE_LOCK="$dir/lock" "$builddir/tests/cli/xl-fork" fork-thaw web1 2>"$dir/err" &
verb=$!
for _ in $(seq 100); do
    if grep -q waiting "$FAKE_LOG"; then break; fi
    sleep 0.1
done
sleep 0.2
started=$(date +%s)
kill -TERM "$verb"
status=0
wait "$verb" || status=$?
took=$(($(date +%s) - started))
kill "$holder"
check 'a signal ends a wait for a lock' [ "$status $((took < 10))" = '1 1' ]

# A terminal on stderr: the bar is drawn, and wiped before the result
if command -v script >/dev/null; then
    # Each question has an answer of its own.
    for verb in start destroy; do
        : >"$FAKE_LOG"
        printf 'y\nn\n' | FAKE_FAIL=a:-16 script -qec "'$xl' fork-$verb a" \
            /dev/null >"$dir/out"
        check "$verb: one yes is one answer" \
            is "$(paste -sd' ' "$FAKE_LOG")" "$verb a agree $verb a"
        : >"$FAKE_LOG"
        printf 'y\ny\n' | FAKE_FAIL=a:-16 script -qec "'$xl' fork-$verb a" \
            /dev/null >"$dir/out"
        check "$verb: a yes to each" is "$(paste -sd' ' "$FAKE_LOG")" \
            "$verb a agree $verb a agree $verb a"
    done
    script -qec "'$xl' fork web1" /dev/null >"$dir/out" </dev/null
    check 'progress bar' out_has \
        "sharing memory \\[####################  *\\]  50%$(printf '\r\033')"
else
    for _ in 1 2 3 4 5; do
        count=$((count + 1))
        echo "ok $count # SKIP no script(1) (Debian package: bsdutils)"
    done
fi

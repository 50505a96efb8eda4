#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The cost of a fork, beside xl create, save and restore of the same domain in the same boot, and in counts that
# no load changes: tests/testbed/run --timeout 580 tests/bench/bench.sh [MIB [RUNS]]. Emulated times: ratios count.
. "$(dirname "$0")/../live/lib/lib.sh"

memory=${1:-128} runs=${2:-3}
out=$(mktemp)

# timed NAME COMMAND…
timed() {
    local start
    start=$(date +%s%N)
    "${@:2}" >/dev/null 2>&1 || diag "failed: ${*:2}"
    printf '%-28s %8.0f ms\n' "$1" "$((($(date +%s%N) - start) / 1000000))"
}

processes() { awk '/^processes/ { print $2 }' /proc/stat; }

start_source bench "$memory"
for n in $(seq "$runs"); do
    before=$(processes)
    timed "xl fork, run $n" eval 'xl fork --json bench clone >'"$out"
    printf '  processes in dom0: %s\n' "$(($(processes) - before))"
    jq -r '"  fork  " + (.timings_ns | to_entries | map("\(.key) \(.value / 1e6 * 10 | round / 10)") | join(", ")) + " ms",
           "  clone " + (.clones[0].timings_ns | to_entries | map("\(.key) \(.value / 1e6 * 10 | round / 10)") | join(", ")) + " ms",
           "  " + (.counters // .counts // {} | tojson)' "$out"
    wait_until 60 ticks_on clone
    sleep 10
    printf '  private KiB of the clone 10 s after it ticked: %s\n' "$(info clone .private_kib)"
    xl fork-destroy clone
done
# Repeat with Xen's hotplug scripts, in a build with test hooks.
before=$(processes)
timed "xl fork, Xen's scripts" eval 'XENFORK_TEST_HOTPLUG=stock xl fork --json bench clone >'"$out"
printf '  processes in dom0: %s\n' "$(($(processes) - before))"
jq -r '"  clone create \(.clones[0].timings_ns.create / 1e6 | round) ms"' "$out"
xl fork-destroy clone
before=$(processes)
xl fork -n 2 bench >/dev/null
two=$(($(processes) - before))
before=$(processes)
xl fork -n 3 bench >/dev/null
three=$(($(processes) - before))
printf 'processes in dom0: -n 2 %s, -n 3 %s: %s for each more clone\n' "$two" "$three" "$((three - two))"
xl fork-destroy bench-1 bench-2 bench-3 bench-4 bench-5

timed 'xl fork-check' xl fork-check bench
# Count for the process that forks alone, without its keeper and libxl's helpers.
strace -c -o "$out" -e trace=ioctl,write,read xl fork bench clone >/dev/null 2>&1
awk '$NF ~ /^(ioctl|read|write)$/ { printf "system calls of xl fork: %s %s\n", $NF, $4 }' "$out"
xl fork-destroy clone

timed 'xl save' xl save bench /data/bench.save
timed 'xl restore' xl restore /data/bench.save
wait_until 60 ticks_on bench
xl destroy bench
sed -e 's/^name = .*/name = "bench"/' -e 's|/data/source.img|/data/bench.img|' \
    -e "s/^memory = .*/memory = $memory/" -e "s/^maxmem = .*/maxmem = $memory/" /etc/xen/source.cfg >/tmp/bench.cfg
timed 'xl create' xl create -q /tmp/bench.cfg

# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Shared by scripts on the memory of a source: loads, and the compare of image and source at the instant of the fork.

# busy_memory DOM MIB [US]: it writes so much again and again, with so long a pause between
busy_memory() {
    ask "$1" "sh while :; do dd if=/dev/urandom of=/tmp/busy bs=64k count=$(($2 * 16)) conv=notrunc; usleep ${3:-0}; done >/dev/null 2>&1 </dev/null &" >/dev/null
}

# busy_disk DOM: it writes to its disk again and again
busy_disk() {
    ask "$1" 'sh while :; do dd if=/dev/zero of=/mnt/busy bs=64k count=8 conv=fsync; usleep 20000; done >/dev/null 2>&1 </dev/null &' >/dev/null
}

# busy_net ADDRESS: large echo requests to it, fifty a second, until the script ends
busy_net() {
    ping -q -i 0.02 -s 1200 "$1" >/dev/null 2>&1 &
}

cat >/run/compare <<'END'
#!/bin/bash
image=$(xl list | awk '/@fork-/ { print $2 }' | sort -n | tail -n 1)
/usr/libexec/xenfork/test-memory "$1" "$image" >/run/compared 2>&1
END
chmod +x /run/compare

# compared DOM CLONE [OPTION…]: a fork, its result in $result; the image is compared with the source before that runs on
compared() {
    rm -f /run/compared
    result=$(XENFORK_TEST_RESUME=/run/compare timeout 200 xl fork --json "${@:3}" "$1" "$2") || { fail "$2: xl fork" "status $?"; return; }
    diag "$2: $(tail -n 1 /run/compared); $(jq -c '.counters | del(.hypercalls, .processes, .xenstore_ops)' <<<"$result")"
    if grep -q ' differ 0 only_first 0 only_second 0 ' /run/compared &&
        awk 'END { exit $(NF - 1) != $NF }' /run/compared; then
        ok "$2: the image is as the source is"
    else
        fail "$2: the image is as the source is" "$(cat /run/compared)"
    fi
}

# busy_cpu DOM: a loop that does nothing but read the clock (10 ms), and notes the longest time between two readings
busy_cpu() {
    # shellcheck disable=SC2016  # expanded inside
    ask "$1" 'sh (last= max=0; while :; do read -r now x </proc/uptime; now=${now%.*}${now#*.}; gap=$((now - ${last:-$now})); last=$now; [ $gap -le $max ] || { max=$gap; echo $gap >/tmp/gap; }; [ ! -e /tmp/anew ] || { max=0; rm /tmp/anew; }; done) >/dev/null 2>&1 </dev/null &' >/dev/null
}
# gap_anew DOM, gap_ms DOM: the longest time since, as the guest has seen it
gap_anew() { ask "$1" 'sh rm -f /tmp/gap; touch /tmp/anew; sleep 1' >/dev/null; }
gap_ms() { echo "$(($(ask "$1" 'sh cat /tmp/gap' | json .output | tr -dc 0-9)0))"; }

# shares FILE MS: of what test-cpu wrote, "LOWEST AVERAGE GAP": the domain's share of a CPU in the lowest of all periods of
# so long, and in all of it; the longest time in which it got none, in ms
shares() {
    awk -v step="$2" '
        { t[NR] = $1; c[NR] = $2 }
        END {
            low = 1
            for (i = j = 1; i <= NR; i++) {
                while (t[i] - t[j] > step * 1.02) j++
                if (t[i] - t[j] >= step * 0.9 && (c[i] - c[j]) / (t[i] - t[j]) < low)
                    low = (c[i] - c[j]) / (t[i] - t[j])
                if (i > 1 && c[i] - c[i - 1] < 0.5) { idle += t[i] - t[i - 1]; if (idle > gap) gap = idle } else idle = 0
            }
            printf "%.2f %.2f %.0f\n", low, (c[NR] - c[1]) / (t[NR] - t[1]), gap
        }' "$1"
}

#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# The question of xenforkd to systemd before it removes an ephemeral clone (daemon/halt.c), of a real one that runs, and that
# stops. Needs root, systemd, and pgrep: ./check has a Debian with them.

systemd=/lib/systemd/systemd

# systemd as the first process of a machine without anything.
if [ "${1:-}" = --inside ]; then
    mount -t tmpfs tmpfs /run
    mount -t tmpfs tmpfs /etc/systemd/system
    mount -t sysfs sysfs /sys
    mount -t cgroup2 cgroup2 /sys/fs/cgroup || exit
    printf '%s\n' '[Unit]' 'AllowIsolate=yes' >/etc/systemd/system/bare.target
    # A service that takes its time to end, as guests do.
    printf '%s\n' '[Unit]' 'DefaultDependencies=no' 'Conflicts=shutdown.target' 'Before=shutdown.target' '[Service]' \
        'Type=oneshot' 'RemainAfterExit=yes' 'ExecStart=/bin/true' 'ExecStop=/bin/sleep 30' \
        >/etc/systemd/system/slow.service
    export container=test
    exec "$systemd" --system --unit=bare.target --log-target=console
fi

for program in "$systemd" systemctl nsenter pgrep; do
    command -v "$program" >/dev/null || {
        echo "1..0 # SKIP $program is not installed"
        exit 0
    }
done
if ! unshare --mount --pid --fork --cgroup true 2>/dev/null; then
    echo '1..0 # SKIP no root, or no namespaces'
    exit 0
fi

log=$(mktemp)
unshare --mount --pid --uts --ipc --net --cgroup --fork --kill-child --propagation private --mount-proc \
    sh "$0" --inside >"$log" 2>&1 </dev/null &
unshare=$!
trap 'kill -9 "$unshare" 2>/dev/null; rm -f "$log"' EXIT

within() { nsenter -t "$(pgrep -P "$unshare")" -m -p -r -w "$@" 2>&1; }
# The words of halt.c.
question=$(sed -n '/argv\[\] = /,/NULL/p' "${srcdir:?}/daemon/halt.c" | grep -o '"[^"]*"' | tr -d '"')
# shellcheck disable=SC2086  # words
ask() { within $question; }

count=0
# answers TEXT STATE: within ten seconds
answers() {
    count=$((count + 1)) tries=100
    until [ "$(ask)" = "$2" ] || [ "$tries" = 0 ]; do
        tries=$((tries - 1))
        sleep 0.1
    done
    if [ "$tries" -gt 0 ]; then
        echo "ok $count - $1"
    else
        echo "not ok $count - $1: $(ask)"
        sed 's/^/# /' "$log"
    fi
}

echo 1..3
answers 'a host that is up' running
within systemctl start slow.service >/dev/null
within systemctl --no-block poweroff >/dev/null
answers 'a host whose shutdown is queued' stopping
sleep 2
answers 'and one that is going down' stopping

# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Starting and stopping xenforkd, for live scripts; after lib.sh.

daemon_log=$(mktemp) daemon_pid=''

daemon_said() { grep -qE "$1" "$daemon_log"; }

# start_daemon [OPTION…]: in the foreground, its messages in $daemon_log
start_daemon() {
    local count
    count=$(grep -c 'event=start result=ok' "$daemon_log")
    xenforkd --foreground "$@" </dev/null >/dev/null 2>>"$daemon_log" &
    daemon_pid=$!
    daemon_is_ready() { [ "$(grep -c 'event=start result=ok' "$daemon_log")" -gt "$count" ]; }
    wait_until 20 daemon_is_ready
}

kill_daemon() { kill "-$1" "$daemon_pid"; }
daemon_is() { [ "$1" = "$daemon_pid" ]; }
daemon_lives() { kill -0 "$daemon_pid" 2>/dev/null; }
daemon_is_gone() { ! daemon_lives; }
# daemon_lines PATTERN: how many messages it has
# daemon_noted PATTERN: its messages
daemon_noted() { grep "$1" "$daemon_log"; }
daemon_lines() { grep -c "$1" "$daemon_log"; }

# Its status is the function's; 1 too when it does not end.
stop_daemon() {
    kill_daemon TERM
    wait_until 20 daemon_is_gone || return 1
    wait "$daemon_pid" 2>/dev/null
}

# Not by check, whose subshell would be the daemon's parent, and wait for it.
starts() { if start_daemon "${@:2}"; then ok "$1"; else fail "$1" "$(cat "$daemon_log")"; fi; }
# The last of a script: when something failed, the daemon's messages tell more.
stops() {
    if stop_daemon; then ok "$1"; else fail "$1" "status $?"; fi
    # shellcheck disable=SC2154 # of lib.sh
    [ "$tests_failed" = 0 ] || diag "xenforkd: $(tail -n 80 "$daemon_log")"
}

# In KiB.
daemon_rss() { awk '/^VmRSS:/ { print $2 }' "/proc/$daemon_pid/status"; }

# In milliseconds, of dom0's clock.
now_ms() { date +%s%3N; }

key() { printf '/local/domain/%s/%s\n' "$(domain "$1")" "$2"; }
# request DOM VALUE: as the guest itself does, who owns the key
request() { xenstore-write "$(key "$1" data/fork/freeze)" "$2"; }
requested() { xenstore-read "$(key "$1" data/fork/freeze)" 2>/dev/null; }
role_of() { xenstore-read "$(key "$1" fork/role)" 2>/dev/null; }
is_frozen() { [ "$(role_of "$1")" = frozen ]; }
flags_of() { xl list "$1" 2>/dev/null | awk 'NR == 2 { print $5 }'; }
is_shut_down() { [[ $(flags_of "$1") == ???s* || $(flags_of "$1") == ????c* ]]; }
is_no_domain() { [ -z "$(domid_of "$1")" ]; }

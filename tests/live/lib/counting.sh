# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Guests that count aloud, on Xen's console: "counter", which knows nothing of Xen, and "boot-counter", which a BIOS boots
# and which says the last key before each count. After lib.sh.

# lines DOM: all that its guest has said
lines() { xl dmesg | sed -n "s/.*(d$(domid_of "$1")) \(.\{0,1\}[a-p]\{8\}\)$/\1/p"; }
# said DOM: its counts, in decimal
said() {
    lines "$1" | sed 's/.*\(.\{8\}\)$/\1/' | tr a-p 0-9a-f | while read -r count; do echo "$((16#$count))"; done
}
last() { said "$1" | tail -n 1; }
is_past() { [ "$(last "$1")" -gt "$2" ]; }
# counts_on DOM [SECONDS]
counts_on() {
    local before
    before=$(last "$1")
    wait_until "${2:-60}" is_past "$1" "${before:-0}"
}

# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What Xen has of two domains that stand at the same instant. After lib.sh.

context() { /usr/libexec/xenfork/test-context "$(domid_of "$1")"; }
records() { context "$1" | grep '^record'; }
# kept DOM: what else Xen has of it: parameters, most memory, vCPUs, TSC. The callback's the guest sets once more.
kept() {
    /usr/libexec/xenfork/test-domain "$(domid_of "$1")" | sed -e 's/^pages .*, at/at/' -e 's/, incarnation .*//' |
        grep -vE '^(port|flags|paged|paging|param 0:)'
}
# same WHAT DOM DOM
same() {
    local one other
    one=$("$1" "$2") other=$("$1" "$3")
    if [ -n "$one" ] && [ "$one" = "$other" ]; then
        ok "$2: the same $1"
    else
        fail "$2: the same $1" "$(diff <(echo "$one") <(echo "$other"))"
    fi
}

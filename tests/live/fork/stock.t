#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A hypervisor without memory sharing, as Debian ships it: refused before anything is touched.
# live: --source --timeout 150
# xen: stock
. "$(dirname "$0")/../lib/lib.sh"
. "$LIVE/refuse.sh"

token=$(field source token)
remember
refused "stock hypervisor" HYPERVISOR "hypervisor has no memory sharing" "docs/hypervisor.md" source k
code "stock hypervisor, xl fork-check" HYPERVISOR xl fork-check --json source
is "it is the only reason" "$(xl fork-check --json source 2>/dev/null | json '.reasons | length')" 1
status=0
text=$(timeout 60 xl fork-check source) || status=$?
is "xl fork-check: exit status" "$status" 1
check "it says why" grep -q "no memory sharing" <<<"$text"
check "and points to docs/hypervisor.md" grep -q "docs/hypervisor.md" <<<"$text"
untouched "xl fork-check"

is "xl fork-list is empty" "$(xl fork-list --json | json length)" 0
says "unknown clone" 1 "no clone named k" "xl fork-list" xl fork-destroy k
check "Xen's own commands work" timeout 20 xl list
check "the source ticks on" ticks_on source
is "as the same guest" "$(field source token)" "$token"
done_testing

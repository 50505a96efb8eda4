#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Guests of several vCPUs, with a process bound to each that counts: all go on in source and clone, from the
# same instant.
# live: --timeout 900
# full: 4.17 4.20
. "$(dirname "$0")/../lib/lib.sh"
. "$LIVE/smp.sh"

for vcpus in 2 4; do
    start_smp "smp$vcpus" "$vcpus"
    fork_smp "smp$vcpus" "$vcpus" "clone$vcpus"
    xl destroy "smp$vcpus"
done
done_testing

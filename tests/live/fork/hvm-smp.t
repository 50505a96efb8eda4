#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# HVM guests of several vCPUs with a device model, with a process bound to each vCPU that counts: all go on in source
# and clone.
# live: --timeout 1500
# full: 4.17 4.20
. "$(dirname "$0")/../lib/lib.sh"
. "$LIVE/hvm.sh"
. "$LIVE/smp.sh"

for VCPUS in 2 4; do
    start_hvm "hvm$VCPUS" 'vif = [ "bridge=xenbr0,mac=00:16:3e:00:00:09" ]'
    diag "after $SECONDS s"
    fork_smp "hvm$VCPUS" "$VCPUS" "clone$VCPUS"
    xl destroy "hvm$VCPUS"
done
done_testing

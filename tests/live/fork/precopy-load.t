#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# 20 forks each of guests with 128 and 1024 MiB, 1 and 2 vCPUs, under load: each page of the image is as it was in the
# source at the instant of the fork.
# alone: yes
# live: --memory 5120 --timeout 3000
# full: 4.17 4.20
. "$(dirname "$0")/../lib/lib.sh"
. "$LIVE/load.sh"

forks=${PRECOPY_FORKS:-20}
for memory in 128 1024; do
    for vcpus in 1 2; do
        name="m$memory-$vcpus"
        start_source "$name" "$memory" "vcpus = $vcpus"
        for _ in $(seq "$vcpus"); do busy_memory "$name" 8; done
        busy_disk "$name"
        busy_net 10.0.0.2
        for _ in $(seq "$forks"); do
            compared "$name" clone
            timeout 100 xl fork-destroy --yes clone
        done
        check "$name ticks on" ticks_on "$name"
        xl destroy "$name"
        kill %%
    done
done
done_testing

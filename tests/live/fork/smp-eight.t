#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A guest of eight vCPUs, with a process bound to each that counts: all go on in source and clone.
# live: --timeout 900
# full: 4.17 4.20
. "$(dirname "$0")/../lib/lib.sh"
. "$LIVE/smp.sh"

start_smp eight 8
fork_smp eight 8 clone8
xl destroy eight
done_testing

#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A source on XFS is as fast after many forks as before.
# live: --source --timeout 1800
# full: 4.20 4.17
# alone: yes
. "$(dirname "$0")/../lib/lib.sh"
. "$LIVE/depth.sh"

costs_after_forks source "${1:-64}" 120
done_testing

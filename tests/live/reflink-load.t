#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Forks of a source that writes to a file on XFS as fast as it can.
# live: --source --timeout 500
# full: 4.17
. "$(dirname "$0")/lib.sh"
. "$LIVE/disk-load.sh"

loaded source "${1:-5}"
is 'nothing is left' "$(find /data/.xenfork -type f)" ''
done_testing

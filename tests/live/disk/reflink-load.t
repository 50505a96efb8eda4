#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Forks of a source that writes to a file on XFS all the time.
# live: --source --timeout 1800
# full: 4.20 4.17
. "$(dirname "$0")/../lib/lib.sh"
. "$LIVE/disk-load.sh"

loaded source /data/source.img "${1:-20}"
is 'nothing is left' "$(find /data/.xenfork -type f)" ''
done_testing

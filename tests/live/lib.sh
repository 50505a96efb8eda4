# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
. "$(dirname "${BASH_SOURCE[0]}")/lib/lib.sh"

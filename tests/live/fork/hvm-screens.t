#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Guests that nobody here wrote, without any PV driver: GRUB at its prompt, iPXE at its shell, memtest86+ in the middle
# of a pass. Each is forked, the clone's screen is the source's, a key to the clone reaches the clone alone, and both go on.
# live: --systems --timeout 1200
# full: 4.17 4.20
. "$(dirname "$0")/../lib/lib.sh"
. "$LIVE/refuse.sh"
. "$LIVE/hvm.sh"
. "$LIVE/screens.sh"

start_iso grub /data/systems/grub.iso
# What the BIOS says lights some 5000 dots, a menu's frame and bar 20000.
check 'GRUB comes to its menu' wait_until 300 lit grub 20000
types grub c
check 'and to its prompt' wait_until 60 stands grub
waits_for_keys grub l s ret

start_iso ipxe /data/systems/ipxe.iso
begins() { types ipxe ctrl+b; lit ipxe 9000; }
check 'iPXE begins' wait_until 400 begins
check 'and comes to its shell' wait_until 60 stands ipxe
waits_for_keys ipxe h e l p ret

start_iso memtest /data/systems/memtest.iso
check 'memtest86+ begins' wait_until 300 lit memtest 200000
check 'and tests' wait_until 60 changes memtest
shows memtest
result=$(timeout 200 xl fork --json memtest memtest-clone)
isnt 'it is forked in the middle of a pass' "$result" ''
shows memtest-clone
check 'the clone tests on' wait_until 30 changes memtest-clone
check 'the source tests on' wait_until 30 changes memtest
shows memtest-clone
check 'the clone is destroyed' timeout 60 xl fork-destroy memtest-clone
xl destroy memtest
check 'nothing of ours is left' wait_until 20 nothing_of_ours
done_testing

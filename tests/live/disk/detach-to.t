#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A clone that is detached goes to another host, as its state and one file, and to another place in another format.
# live: --source --timeout 300
# full: 4.17 4.20
. "$(dirname "$0")/../lib/lib.sh"

check 'forked' timeout 120 xl fork source source-1
check 'the clone ticks on' wait_until 60 ticks_on source-1
xl pause source-1
check 'it is detached' timeout 120 xl fork-detach --wait source-1
xl unpause source-1
xl destroy source
rm -f /data/source.img
check 'the image goes' wait_until 30 no_image

# To another host: its state and one file.
ask source-1 'pace 500' >/dev/null
disk=$(info source-1 '.disks[0].path')
check 'saved' timeout 120 xl save source-1 /data/saved
cp "$disk" /data/copy.img && mv /data/copy.img "$disk"
check 'restored beside a copy of its file' timeout 120 xl restore /data/saved
check 'it ticks on' wait_until 60 ticks_on source-1
is 'its disk is whole' "$(ask source-1 verify | json .errors)" 0

# To another place, in another format: when it has shut down.
mkdir /data/there
disk=$(info source-1 '.disks[0].path')
check 'not while it runs' says_no 'shut it down first' xl fork-detach --wait --to=/data/there source-1
xl destroy source-1
sum=$(sha256sum <"$disk")
timeout 60 xl fork-detach --wait --rate=8 --to=/data/there --format=qcow2 source-1 &
check 'it is under way' wait_until 30 test -e /data/there/source-1-xvda.qcow2
pkill -9 -f 'fork-detach --wait'
wait
is 'killed: it has what it had' "$(info source-1 '.disks[0].path') $(sha256sum <"$disk")" "$disk $sum"
check 'begun again' xl fork-detach --rate=8 --to=/data/there --format=qcow2 source-1
check 'stopped' xl fork-detach --stop source-1
check 'it stops' wait_until 30 eval '! pgrep -f "fork-detach --rate" >/dev/null'
check 'to its end' timeout 60 xl fork-detach --wait --to=/data/there --format=qcow2 source-1
is 'it is there' "$(info source-1 '.disks[0].path')" /data/there/source-1-xvda.qcow2
check 'and only there' test ! -e "$disk"
is 'with all that it had' "$(qemu-img convert -O raw /data/there/source-1-xvda.qcow2 /data/raw && sha256sum </data/raw)" "$sum"
check 'destroyed' timeout 60 xl fork-destroy --yes source-1
check 'and its file' is_empty /data/there
check 'nothing is left' wait_until 30 eval '[ -z "$(ls -A /data/.xenfork /var/lib/xenfork/clones 2>/dev/null | grep -v : )" ]'
done_testing

#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Clones with qcow2 files get disks of their own: in place and elsewhere, while they run and when they do not; stopped,
# killed, resumed.
# live: --source --timeout 900
# full: 4.20 4.17
. "$(dirname "$0")/../../lib/lib.sh"
. "$LIVE/qcow2.sh"

percent() { info "$1" .detached_percent; }
# A clone that stands still while its memory is done: emulated, each page that is taken from it costs 2 ms.
ready() {
    wait_until 60 ticks_on "$1" && ask "$1" mark "own-$1" && ask "$1" 'pace 20' && xl pause "$1"
}
# recorded DOM: what libxl has of its disk
recorded() { xl list -l "$1" | jq -r '.[0].config.disks[0] | .pdev_path + " " + .format'; }
# served DOM: by the backend's node
served() {
    local path
    path=$(xenstore-read "/libxl/$(domid_of "$1")/device/vbd/51712/backend")
    xenstore-read "$path/params"
}

image=/data/q.qcow2
xl destroy source
rm -f /data/source.img
qcow2_source q
ask q mark before >/dev/null
check 'forked' timeout 120 xl fork -n 4 q
for n in 1 2 3 4; do check "clone $n writes on" ready "q-$n"; done

# In place: stopped, killed, to its end.
disk=$(overlay q-1)
check 'begun' xl fork-detach --rate=4 q-1
check 'memory is nearly done' wait_until 90 eval '[ "$(percent q-1)" -ge 45 ]'
pkill -9 -f 'fork-detach --rate'
xl unpause q-1
check 'killed: once more, slowly' xl fork-detach --rate=1 q-1
check 'its disk is under way' wait_until 60 eval '[ "$(percent q-1)" -gt 50 ]'
# QEMU goes on copying when we are killed.
pkill -9 -f 'fork-detach --rate'
check 'killed again: once more' xl fork-detach --rate=1 q-1
check 'stopped' xl fork-detach --stop q-1
check 'it stops' wait_until 30 eval '! pgrep -f "fork-detach --rate" >/dev/null'
check 'it is backed by the base still' [ -n "$(backing "$disk")" ]
check 'the clone ticks on' ticks_on q-1
start=$(date +%s%N)
check 'to its end, while the clone writes' timeout 120 xl fork-detach --wait q-1
diag "a disk in place: $((($(date +%s%N) - start) / 1000000)) ms, $(du -k "$disk" | cut -f 1) KiB"
is 'it has no backing file' "$(backing "$disk") $(chain "$disk") $(overlay q-1)" " 1 $disk"
check 'the clone ticks on' ticks_on q-1
is 'its disk is whole' "$(ask q-1 verify | json .errors)" 0
check 'a detached clone is forked' timeout 120 xl fork --paused q-1 again
check 'and that goes' timeout 60 xl fork-destroy --yes again
check 'it is one file again' wait_until 60 eval '[ -z "$(backing "$disk")" ]'

# While it runs, elsewhere: killed, stopped, to its end.
mkdir /data/there
move() { # CLONE FORMAT
    local clone=$1 format=$2 old to=/data/there/$1-xvda.$2
    old=$(overlay "$clone")
    xl fork-detach --rate=4 --to=/data/there --format="$format" "$clone"
    check "$format: memory is done" wait_until 90 eval "[ \$(percent $clone) -ge 50 ]"
    xl unpause "$clone"
    check "$format: its disk is under way" wait_until 60 test -e "$to"
    pkill -STOP -f 'fork-detach --rate'
    check "$format: it cannot be forked meanwhile" eval "! xl fork $clone not 2>/tmp/refused"
    check "$format: it says so" grep -q 'another xenfork operation is on it' /tmp/refused
    pkill -9 -f 'fork-detach --rate'
    check "$format: killed: the clone ticks on" ticks_on "$clone"
    is "$format: its records are as they were" "$(overlay "$clone") $(recorded "$clone")" "$old $old qcow2"
    xl fork-detach --rate=4 --to=/data/there --format="$format" "$clone"
    sleep 1
    check "$format: stopped" xl fork-detach --stop "$clone"
    check "$format: it stops" wait_until 30 eval '! pgrep -f "fork-detach --rate" >/dev/null'
    check "$format: the clone ticks on" ticks_on "$clone"
    check "$format: to its end, while the clone writes" \
        timeout 120 xl fork-detach --wait --to=/data/there --format="$format" "$clone"
    is "$format: every record names the new file" "$(overlay "$clone") $(recorded "$clone")" "$to $to $format"
    check "$format: the backend's, too" eval "[[ \$(served $clone) == *:$to ]]"
    check "$format: the old one is gone" test ! -e "$old"
    diag "$format: $(du -k "$to" | cut -f 1) KiB of $(($(stat -c %s /usr/share/xenfork-guest/disk.img) / 1024))"
    ask "$clone" mark "moved-$clone" >/dev/null
    check "$format: the clone ticks on" ticks_on "$clone"
    is "$format: its disk is whole" "$(ask "$clone" verify | json .errors)" 0
}
move q-2 qcow2
is 'it has no backing file' "$(backing /data/there/q-2-xvda.qcow2)" ''
move q-3 raw
check 'a moved clone is forked' timeout 120 xl fork --paused q-2 again
is 'its clone has what it wrote' "$(census "$(overlay again)" '.marks | sort')" '["before","moved-q-2","own-q-2"]'
check 'and that goes' timeout 60 xl fork-destroy --yes again

# Not running: in place, and elsewhere.
disk=$(overlay q-4)
xl destroy q-4
sum=$(content "$disk")
check 'in place, without a domain' timeout 60 xl fork-detach --wait q-4
is 'it has no backing file' "$(backing "$disk")" ''
is 'with all that it had' "$(content "$disk")" "$sum"
check 'elsewhere' timeout 60 xl fork-detach --wait --to=/data/there --format=qcow2 q-4
is 'it is there' "$(overlay q-4) $(content /data/there/q-4-xvda.qcow2)" "/data/there/q-4-xvda.qcow2 $sum"
check 'and only there' test ! -e "$disk"

# Their source and its images go.
xl destroy q
check 'the images go' wait_until 60 no_image
find /data -maxdepth 1 -name '.xenfork-*' ! -samefile "$(overlay q-1)" -delete
rm -f $image
for n in 1 2 3; do
    check "clone $n ticks on" ticks_on "q-$n"
    is "the disk of clone $n is whole" "$(ask "q-$n" verify | json .errors)" 0
done
# To another host: its state and one file.
for n in 1 2 3; do
    disk=$(overlay "q-$n")
    check "clone $n is saved" timeout 120 xl save "q-$n" /data/saved
    cp "$disk" /data/copy && mv /data/copy "$disk"
    check "restored beside a copy of its file" timeout 120 xl restore /data/saved
    check 'it ticks on' wait_until 60 ticks_on "q-$n"
    is 'its disk is whole' "$(ask "q-$n" verify | json .errors)" 0
done
check 'all are destroyed' timeout 120 xl fork-destroy --yes q-1 q-2 q-3 q-4
check 'their files, too' is_empty /data/there
is 'nothing of ours is left' "$(files /data)" 0
done_testing

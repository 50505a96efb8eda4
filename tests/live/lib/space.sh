# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Storage that is full in the middle of writes and of forks, for live scripts; after lib.sh. A driver defines what is
# different with it.

# start_writer NAME LINE…: a guest that writes its records to xvdb, without file system, so that it goes on after errors
start_writer() {
    start_source "$1" 128 'extra = "console=hvc0 quiet panic=1 mitigations=off xf.data=/dev/xvdb"' "${@:2}"
    ask "$1" 'pace 20' >/dev/null
}

acked() { field "$1" acked; }
# writes DOM [SECONDS]: more becomes acknowledged
writes() {
    local now
    now=$(acked "$1")
    wait_until "${2:-30}" eval '[ "$(acked '"$1"')" -gt '"$now"' ]'
}
# stuck DOM: soon nothing does: what has been set aside for it before is used up
is_stuck() {
    local now
    now=$(acked "$1")
    sleep 5
    [ "$(acked "$1")" = "$now" ]
}
stuck() { wait_until 90 is_stuck "$1"; }
# whole TEXT PATH ACKED
whole() {
    local seen
    seen=$("$LIVE/check-disk" "$(raw "$2")")
    is "$1: no damage" "$(jq -c .errors <<<"$seen")" '[]'
    at_least "$1: every write that was acknowledged" "$(json .highest <<<"$seen")" "$3"
}
# fails TEXT COMMAND…: with a message, which is in $output
fails() {
    local text=$1 status=0
    output=$(timeout 200 "${@:2}" 2>&1) || status=$?
    is "$text: exit status" "$status" 1
    diag "$output"
    check "$text: says what" grep -q '^xl: ' <<<"$output"
}

# A file system without space. The source's writes go to blocks that it shares with the base: those take space.
fill() {
    local free
    free=$(df --output=avail -B1K "$1" | tail -n 1)
    until fallocate -l "${free}K" "$1/filler" 2>/dev/null; do free=$((free - 64)); [ "$free" -gt 0 ] || break; done
    dd if=/dev/zero of="$1/filler2" bs=4k status=none 2>/dev/null
    sync -f "$1"
}
empty() { rm -f "$1"/filler*; }
# raw PATH: a raw file or device with what that disk holds
raw() { printf '%s\n' "$1"; }
# sum PATH: of all that a guest sees of it
sum() { "$LIVE/check-disk" "$(raw "$1")" | json .sum; }
# ours: files of ours that there are
ours() { find /data/.xenfork -type f | sort; }
no_files() { [ -z "$(ours)" ]; }
# disk_of CLONE: the path of the disk that it writes to
disk_of() { info "$1" '.disks[] | select(.vdev == "xvdb").path'; }

# full_file_system PATH LINE…: of a source's configuration; it writes to PATH
full_file_system() {
    local base sum before part acked_space acked_s
    start_writer space "${@:2}"
    check 'forked' timeout 120 xl fork space s
    check 'the clone writes' writes s
    base=$(xl fork-disk-list --json | json '.[] | select(.kind == "base" and .vdev == "xvdb").path')
    sum=$(sum "$base")
    fill /data
    check 'file system full: the source has to stop' stuck space
    check 'so has the clone' stuck s
    diag "errno in the source $(field space disk_errno), in the clone $(field s disk_errno)"
    is 'the guest sees an I/O error' "$(field space disk_errno)" 5
    before=$(ours)
    fails 'a fork without space' xl fork --paused space s2
    check 'it says why' grep -q 'file system is full' <<<"$output"
    is 'and leaves nothing' "$(ours)" "$before"
    empty /data
    check 'space again: the source writes on' writes space 150
    check 'so does the clone' writes s 150
    acked_space=$(acked space) acked_s=$(acked s)
    for part in space s; do xl pause "$part"; done
    whole source "$1" "$acked_space"
    whole clone "$(disk_of s)" "$acked_s"
    is 'the base is as it was' "$(sum "$base")" "$sum"
    for part in space s; do xl unpause "$part"; done
    check 'the source goes on' writes space
    check 'forked again' timeout 120 xl fork space s2
    check 'its clone writes' writes s2
    check 'destroyed' timeout 60 xl fork-destroy s s2
    check 'nothing is left' wait_until "${left_seconds:-30}" no_files
}

# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The host loses power with a clone, and in the middle of a fork: for the scripts on each disk driver. After lib.sh. A
# driver defines what is different with it.

# ours: files or volumes of ours that there are, one a line
ours() { find /data/.xenfork -type f; }
# raw PATH: a raw file or device with what that disk holds, until released
raw() { printf '%s\n' "$1"; }
released() { :; }
# how many of ours a clone needs, with its backing file
of_a_clone=1

# at_least_ours N
at_least_ours() { [ "$(ours | wc -l)" -ge "$1" ]; }

# cut_power_of SOURCE: a clone of it runs, and a fork has made a base of its disk, when all ends
cut_power_of() {
    local acked=()
    check "$1 is forked" timeout 120 xl fork --no-hydrate "$1" "$1-1"
    check 'its clone ticks on' wait_until 60 ticks_on "$1-1"
    ask "$1" 'pace 20' >/dev/null
    ask "$1-1" 'pace 20' >/dev/null
    ask "$1" "mark of-$1" >/dev/null
    ask "$1-1" "mark of-$1-1" >/dev/null
    acked=("$(field "$1" acked)" "$(field "$1-1" acked)")
    timeout 120 xl fork "$1" late >/dev/null 2>&1 &
    wait_until 60 at_least_ours 3
    check 'a fork is in the middle' pkill -STOP -x xl-fork
    is 'it is journaled' "$(find /var/lib/xenfork/journals -type f | wc -l)" 1
    power_cut "${acked[@]}"
}

starts_again() { timeout 120 xl fork-start "$1" && wait_tick "$1" 4 120; }

# has_all TEXT PATH ACKED MARK
has_all() {
    local seen
    seen=$("$LIVE/check-disk" "$(raw "$2")")
    released "$2"
    is "$1: no damage" "$(jq -c .errors <<<"$seen")" '[]'
    at_least "$1: every write that was acknowledged" "$(json .highest <<<"$seen")" "$3"
    isnt "$1: its own mark" "$(json ".marks | index(\"$4\")" <<<"$seen")" ''
}

# left: images, journals, disks of ours
left() {
    printf '%s %s %s\n' "$(xl fork-list --json | jq -c '[.[] | select(.kind != "clone") | .name]')" \
        "$(find /var/lib/xenfork/journals -type f | wc -l)" "$(ours | wc -l)"
}
nothing_left() { [ "$(left)" = '[] 0 0' ]; }

# after_power_cut SOURCE DISK START…: START starts it
after_power_cut() {
    local source=$1 disk=$2 acked
    # shellcheck disable=SC2154  # of lib.sh
    read -ra acked <<<"$notes"
    check 'xl fork-list' xl fork-list
    is 'the clone is known, and stopped' \
        "$(xl fork-list --json | jq -c '[.[] | select(.kind == "clone") | [.name, .state]]')" "[[\"$source-1\",\"stopped\"]]"
    has_all "$source" "$disk" "${acked[0]}" "of-$source"
    has_all "$source-1" "$(info "$source-1" '.disks[0].path')" "${acked[1]}" "of-$source-1"
    xl fork-destroy --yes nothing 2>/dev/null
    is 'the next command sweeps what is left, but for what the clone has' "$(left)" "[] 0 $of_a_clone"
    check "$source starts" "${@:3}"
    is 'its disk is whole' "$(ask "$source" verify | json .errors)" 0
    check 'its clone starts again' starts_again "$source-1"
    is 'its disk is whole' "$(ask "$source-1" verify | json .errors)" 0
    is 'it is known' "$(info "$source-1" .state)" running
    check "$source is forked again" timeout 120 xl fork "$source" "$source-2"
    check 'its clone ticks on' wait_until 60 ticks_on "$source-2"
    check 'the clone of before is forked, too' timeout 120 xl fork --paused "$source-1" "$source-1-1"
    check 'all clones are destroyed' timeout 120 xl fork-destroy --yes "$source-1" "$source-2" "$source-1-1"
    check 'nothing is left' wait_until "${left_seconds:-30}" nothing_left
    is 'no record, either' "$(xl fork-list --json | jq -c .)" '[]'
}

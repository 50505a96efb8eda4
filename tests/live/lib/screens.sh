# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Screens of HVM domains, by their QEMUs; after lib.sh and hvm.sh.

# Dots of a text cursor, which blinks by the clock of its QEMU.
CURSOR_DOTS=256

# screen_of DOM FILE: its screen, as PPM
screen_of() { qmp "$1" screendump "{\"filename\": \"$2\"}" >/dev/null; }

# shows DOM: its screen for whoever reads the log, as PNG in base 64
shows() {
    screen_of "$1" "/run/$1.ppm"
    diag "screen of $1: $("$LIVE/screen" png "/run/$1.ppm")"
}

# differ A.ppm B.ppm: by more than a cursor
differ() {
    local dots
    dots=$("$LIVE/screen" dots "$1" "$2")
    [ "$dots" -lt 0 ] || [ "$dots" -gt "$CURSOR_DOTS" ]
}

# lit DOM DOTS: so many dots of its screen are not black, at least
lit() {
    screen_of "$1" /run/lit.ppm
    [ "$("$LIVE/screen" lit /run/lit.ppm)" -ge "$2" ]
}

# stands DOM [SECONDS]: its screen stays as it is
stands() {
    screen_of "$1" /run/stands-1.ppm
    sleep "${2:-6}"
    screen_of "$1" /run/stands-2.ppm
    ! differ /run/stands-1.ppm /run/stands-2.ppm
}

# changes DOM: its screen does, within some seconds
changes() {
    screen_of "$1" /run/changes-1.ppm
    sleep 8
    screen_of "$1" /run/changes-2.ppm
    differ /run/changes-1.ppm /run/changes-2.ppm
}

# same_screen TEXT DOM FILE: but for a cursor
same_screen() {
    screen_of "$2" "/run/$2-now.ppm"
    if differ "$3" "/run/$2-now.ppm"; then
        fail "$1" "they differ in $("$LIVE/screen" dots "$3" "/run/$2-now.ppm") dots"
        shows "$2"
    else
        ok "$1"
    fi
}

# types DOM KEY…: one after the other, as QEMU names them; several at once with "+" between
types() {
    local key
    for key in "${@:2}"; do
        qmp "$1" send-key "{\"keys\": [$(printf '%s' "$key" | tr + '\n' |
            sed 's/.*/{"type": "qcode", "data": "&"}/' | paste -sd,)]}" >/dev/null
        sleep 0.3
    done
}

# start_iso NAME FILE [CONFIG-LINE…]: a domain that its BIOS boots from there; QEMU's own devices alone
start_iso() {
    cat >"/data/$1.cfg" <<CFG
name = "$1"
type = "hvm"
memory = 64
videoram = 16
vga = "stdvga"
vnc = 1
vcpus = 1
cpus = "1"
boot = "d"
disk = [ "format=raw,vdev=hdc,devtype=cdrom,access=ro,target=$2" ]
CFG
    printf '%s\n' "${@:3}" >>"/data/$1.cfg"
    timeout 180 xl create -q "/data/$1.cfg" || bail_out "no HVM domain $1"
}

# waits_for_keys NAME KEY…: it is forked while it waits for a key; the clone alone is sent these, and answers them
waits_for_keys() {
    local name=$1 clone=$1-clone
    shows "$name"
    screen_of "$name" "/run/$name-before.ppm"
    result=$(timeout 200 xl fork --json "$name" "$clone")
    isnt "$name is forked" "$result" ''
    diag "$(jq -c '.counters, .timings_ns' <<<"$result" | paste -sd' ')"
    same_screen "$name: the clone's screen is the source's" "$clone" "/run/$name-before.ppm"
    isnt "$name: the clone's display has a port of its own" "$(node "$clone" console/vnc-port)" "$(node "$name" console/vnc-port)"
    types "$clone" "${@:2}"
    answered() { screen_of "$clone" "/run/$clone.ppm"; differ "/run/$name-before.ppm" "/run/$clone.ppm"; }
    check "$name: the clone answers keys" wait_until 60 answered
    shows "$clone"
    same_screen "$name: the source waits on" "$name" "/run/$name-before.ppm"
    types "$name" "${@:2}"
    clone=$name
    check "$name: the source answers its own" wait_until 60 answered
    check "$name: the clone is destroyed" timeout 60 xl fork-destroy "$name-clone"
    xl destroy "$name"
}

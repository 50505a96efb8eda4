# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Sources whose disk is a qcow2 file, for live scripts; after lib.sh.

# qcow2_source NAME [PATH]: a guest whose disk is that file, by qdisk
qcow2_source() {
    local path=${2:-/data/$1.qcow2}
    [ -e "$path" ] || qemu-img convert -O qcow2 /usr/share/xenfork-guest/disk.img "$path" || bail_out "no $path"
    start_source "$1" 128 "disk = [ \"format=qcow2,vdev=xvda,access=rw,backendtype=qdisk,target=$path\" ]"
    rm -f "/data/$1.img"
}

# plain PATH RAW: all that is in the chain, as a raw file
plain() { qemu-img convert -U -f qcow2 -O raw "$1" "$2"; }

# census PATH FILTER: of what check-disk finds in the chain
census() {
    local raw result
    raw=$(mktemp -p "$(dirname "$1")" census.XXXXXX)
    plain "$1" "$raw" && result=$("$LIVE/check-disk" "$raw" | jq -c "$2")
    rm -f "$raw"
    printf '%s\n' "$result"
}

# content PATH: a sum of all that a guest sees of it
content() {
    local raw
    raw=$(mktemp -p "$(dirname "$1")" content.XXXXXX)
    plain "$1" "$raw" && sha256sum <"$raw" | cut -d ' ' -f 1
    rm -f "$raw"
}

# backing PATH: what the file is backed by; empty: nothing
backing() { qemu-img info -U --output=json "$1" | json '."backing-filename"'; }
# chain PATH: files in it
chain() { qemu-img info -U --backing-chain --output=json "$1" | jq length; }

# overlay DOM: the path of its disk
overlay() { info "$1" '.disks[0].path'; }
# files DIR: of ours, how many
files() { find "$1" -maxdepth 1 -name '.xenfork-*' | wc -l; }
# is_whole PATH: one file, and nothing of ours beside it
is_whole() { [ -z "$(backing "$1")" ] && [ "$(files "$(dirname "$1")")" = 0 ]; }

# Before 4.20 what `xl create` leaves to watch a domain ends when the domain is suspended.
host() {
    local all
    all=$(snapshot_of_host /data)
    grep -vE '^[0-9]+ process xl$' <<<"$all"
}

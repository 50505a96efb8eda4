# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# VHDs in dom0, served by tapdisk; after lib.sh, and after disk-load.sh where that is used.

command -v tap-ctl vhd-util nbd-client >/dev/null || skip_all 'no blktap in dom0: see tests/testbed/README.md'

# Disks of the driver vhd, as libxl has them: "vhd:FILE".
file_of() { printf '%s\n' "${1#vhd:}"; }

# with_vhd FILE COMMAND…: with the device of another tapdisk, which only reads, as last argument. Of a disk that is
# being written it sees what was there when it began.
with_vhd() {
    local node status=0 reader=test/$BASHPID
    node=$(XENBUS_PATH=$reader /usr/libexec/xenfork/xenfork-block attach "vhd:$(file_of "$1")" r) || return
    "${@:2}" "$node" || status=$?
    XENBUS_PATH=$reader /usr/libexec/xenfork/xenfork-block detach "vhd:$(file_of "$1")" || status=1
    return "$status"
}

# raw PATH: a raw file with what the disk holds, until the next is asked for
raw() {
    # shellcheck disable=SC2016  # expanded inside
    with_vhd "$1" sh -c 'dd if="$0" of=/data/raw bs=1M iflag=direct status=none' && printf '/data/raw\n'
}
# seen PATH FILTER: of what check-disk finds in it
seen() { "$LIVE/check-disk" "$(raw "$1")" | jq -c "$2"; }

# vhd_disk FILE [BASE]: with the test guest's file system; over BASE, a raw file, where one is named
vhd_disk() {
    local node size
    if [ -n "${2-}" ]; then
        cp /usr/share/xenfork-guest/disk.img "$2"
        vhd-util snapshot -m -n "$1" -p "$2" || bail_out "no VHD $1"
        return
    fi
    size=$(($(stat -c %s /usr/share/xenfork-guest/disk.img) / 1048576))
    vhd-util create -n "$1" -s "$size" || bail_out "no VHD $1"
    node=$(/usr/libexec/xenfork/xenfork-block attach "vhd:$1" w) || bail_out "no device for $1"
    dd if=/usr/share/xenfork-guest/disk.img of="$node" bs=1M oflag=direct status=none || bail_out "cannot fill $1"
    /usr/libexec/xenfork/xenfork-block detach "vhd:$1" || bail_out "cannot detach $1"
}

# disk_line FILE: of a guest's configuration
disk_line() { printf 'disk = [ "script=block-fork,vdev=xvda,access=rw,target=vhd:%s" ]\n' "$1"; }

depth_of() { vhd-util query -d -n "$(file_of "$1")" | sed 's/.*: //'; }

# List what serves disks: tapdisks, minors, devices, records; in one word each.
serving() {
    {
        pgrep -x tapdisk | sed 's/^/tapdisk /'
        find /run/blktap-control /dev/shm /run/xenfork/tap -mindepth 1 -type f -o -type s 2>/dev/null
        find /sys/block/nbd*/pid 2>/dev/null
    } | sort
}

# What is killed as the N-th of blktap's programs is started, which then does its work all the same.
PROGRAMS=(vhd-util tap-ctl nbd-client)
# kill_at_programs PKILL-ARGUMENT…
kill_at_programs() {
    local program
    for program in "${PROGRAMS[@]}"; do
        cat >"/usr/local/bin/$program" <<END
#!/bin/bash
exec 9>/tmp/kill.lock
flock 9
n=\$((\$(cat /tmp/kill.count) + 1))
echo "\$n" >/tmp/kill.count
[ "\$n" != "\$(cat /tmp/kill.at)" ] || pkill -9 ${*@Q}
exec 9>&-
exec $(command -v "$program") "\$@"
END
        chmod +x "/usr/local/bin/$program"
    done
    hash -r
}
# killed_at N COMMAND…: false: it was not, and has succeeded
killed_at() {
    echo 0 >/tmp/kill.count
    echo "$1" >/tmp/kill.at
    { ! "${@:2}"; } >/dev/null 2>&1
}
kill_no_more() {
    rm "${PROGRAMS[@]/#//usr/local/bin/}"
    hash -r
}

# Before 4.20 what `xl create` leaves to watch a domain ends when the domain is suspended.
host() {
    local all
    all=$(snapshot_of_host)
    grep -vE '^[0-9]+ process xl$' <<<"$all"
    serving
}

# By backendtype=tap.

# tap_line FILE [OPTION]: of a guest's configuration
tap_line() {
    printf 'disk = [ "%sbackendtype=tap,format=vhd,vdev=xvda,access=rw,target=%s" ]\n' "${2:+$2,}" "$1"
}

# start_tapback FILE: with a VHD that nobody has, the script is skipped where libxl or tapback cannot do it
start_tapback() {
    local config=/tmp/probe.cfg text=/tmp/probe.txt
    command -v tapback >/dev/null || skip_all 'no tapback in dom0'
    pkill -9 -x tapback
    tapback -d </dev/null >/tmp/tapback.log 2>&1 &
    disown
    [ $# -gt 0 ] || return 0
    printf 'name = "probe"\ntype = "pvh"\nkernel = "/usr/share/xenfork-guest/vmlinux"\nmemory = 128\n%s' \
        "$(tap_line "$1")" >"$config"
    if timeout 60 xl create -q -p "$config" 2>"$text"; then
        timeout 60 xl destroy probe
        return
    fi
    ! grep -qE 'unable to add device with path .*/vbd3/|no suitable backend' "$text" ||
        skip_all "no backendtype=tap: $(grep -E '/vbd3/|no suitable backend' "$text" | head -n 1)"
    bail_out "cannot create a domain: $(cat "$text")"
}

record_of() { printf '/run/xenfork/tap/%s\n' "$(file_of "$(disk "$1")" | tr / '!')"; }
tapdisk_of() { sed 's/ .*//' "$(record_of "$1")"; }

# without CLONE: what serves disks, but that clone's
without() {
    local pid minor user
    read -r pid minor _ user <"$(record_of "$1")"
    serving | grep -vE "^tapdisk $pid\$|/(ctl|nbdclient)$pid\$|[a-z]$pid\.$minor\$|/td3-$pid/|/tap-$pid-$minor\$" |
        grep -vE "/tapdisk-$minor\$|/vbd3-$(cut -d / -f 3,4 --output-delimiter=- <<<"$user")/" |
        grep -vxF "$(record_of "$1")"
}
# serving_is TEXT
serving_is() { [ "$(serving)" = "$1" ]; }

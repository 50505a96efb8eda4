# shellcheck shell=sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# For 40-network: DHCP clients that are a process for each card, dhclient, udhcpc
# and udhcpc6.  Asked to end, they might give the source's lease back; and they have
# their pid files anywhere.  So they are found by their names, killed, and started
# again by their own command lines.
# shellcheck disable=SC2034,SC2154 # variables of 40-network

# Print the processes of these names in this network: containers have others.
processes() {
    own_net=$(readlink "$PROC/self/ns/net" 2>/dev/null)
    for path in "$PROC"/[0-9]*; do
        read_line "$path/comm" || continue
        case " $* " in
        *" $line "*) ;;
        *) continue ;;
        esac
        [ "$(readlink "$path/ns/net" 2>/dev/null)" != "$own_net" ] ||
            printf '%s\n' "${path##*/}"
    done
}

# Read the command line of a process, a word a line; that of a zombie is empty.
read_words() {
    { tr '\0' '\n' <"$PROC/$1/cmdline" >"$plan_file.words"; } 2>/dev/null &&
        [ -s "$plan_file.words" ]
}

# is_client PID NAME.  For busybox and a shell the second word is the name.
is_client() {
    read_words "$1" && sed -n '3q; s|.*/||; p' "$plan_file.words" |
        grep -qxF "$2"
}

# Tell whether the client NAME, whose words are read, serves this device.
# dhclient without a device serves all cards, and udhcpc and udhcpc6 eth0.
is_for_device() {
    others=no
    while IFS= read -r word; do
        case $word in
        --interface=?*) word=${word#*=} ;;
        -i?*) word=${word#-i} ;;
        '' | .* | */*) continue ;;
        esac
        [ "$word" != "$interface" ] || return 0
        [ ! -e "$NET/$word" ] || others=yes
    done <"$plan_file.words"
    case $1 in
    udhcpc | udhcpc6) [ "$others:$interface" = no:eth0 ] ;;
    *) [ "$others" = no ] && printf '%s\n' "$cards" | grep -qxF "$interface" ;;
    esac
}

# Print the processes of the client NAME that serve this device.
clients() {
    for pid in $(processes "$1" busybox); do
        ! is_client "$pid" "$1" || ! is_for_device "$1" || printf '%s\n' "$pid"
    done
}

has_client() {
    [ -n "$(clients "$1")" ]
}

# words_again NAME [DEVICE]: print the words that were read as the client starts
# again, without the device; nothing, if it served no other.  A card may be held
# for long: the client must not give up.
words_again() {
    awk -v name="$1" -v without="${2:-}" -v host="$(uname -n)" \
        -v cards="$(printf '%s' "$cards" | tr '\n' ' ')" \
        -v known="$(printf '%s ' "$NET"/* | sed 's|[^ ]*/||g')" '
        BEGIN {
            count = split(known, one, " ")
            for (i = 1; i <= count; i++)
                is_device[one[i]]
        }
        name == "dhclient" && $0 == "-1" { next }
        name ~ /^udhcpc6?$/ && $0 == "--now" { $0 = "--background" }
        name ~ /^udhcpc6?$/ && /^-[BCRSabdflnoqv]+$/ { gsub(/n/, "b") }
        name == "udhcpc" && /^hostname:/ { $0 = "hostname:" host }
        without != "" && $0 == without { is_named = 1; next }
        $0 in is_device { others++ }
        { word[++n] = $0 }
        END {
            if (without != "" && !is_named && name == "dhclient") {
                count = split(cards, one, " ")
                for (i = 1; i <= count; i++)
                    if (one[i] != without)
                        word[n + ++others] = one[i]
                n += others
            }
            for (i = 1; i <= n && (without == "" || others); i++)
                print word[i]
        }' "$plan_file.words"
}

# Remove the leases of a dhclient whose words are read: they have the source's
# address, and its DUID.
rm_leases() {
    if [ "${has_leases:-yes}" = yes ]; then
        has_leases=no
        rm -f "$ROOT"/var/lib/dhcp/dhclient*.leases \
            "$ROOT"/var/lib/dhclient/dhclient*.lease*
    fi
    option=
    while IFS= read -r word; do
        case $option in
        -lf | -df) rm -f "$ROOT$word" ;;
        esac
        option=$word
    done <"$plan_file.words"
}

# are_gone NAME PID…
are_gone() {
    name=$1
    shift
    for pid; do
        ! is_client "$pid" "$name" || return 1
    done
}

# Start a client by the words in a file; none: it is not needed.
start_words() {
    [ -s "$1" ] || return 0
    set -- "$1"
    while IFS= read -r word; do
        set -- "$@" "$word"
    done <"$1"
    shift
    "$@" </dev/null >/dev/null 2>&1 &
}

# change_client NAME [DEVICE]: kill a client that serves this device, and start it
# again, without the device if that is given.  Return 1 if there is none.
change_client() {
    pids=$(clients "$1")
    [ -n "$pids" ] || return 1
    for pid in $pids; do
        is_client "$pid" "$1" || continue
        words_again "$1" "${2:-}" >"$plan_file.again.$pid"
        kill -KILL "$pid"
        [ "$1" != dhclient ] || rm_leases
    done
    for folder in "$ROOT/run" "$ROOT/var/run"; do
        rm -f "$folder/udhcpc.$interface.pid" "$folder/udhcpc6.$interface.pid"
    done
    # shellcheck disable=SC2086 # numbers
    await 10 are_gone "$1" $pids || fail "$1 does not end"
    if [ "$1" != udhcpc6 ]; then
        drop_addresses
    elif [ -z "${2:-}" ]; then
        # It asks from the link-local one, and gives up without.
        await 6 has_link_local
    fi
    for pid in $pids; do
        start_words "$plan_file.again.$pid"
    done
    rm -f "$plan_file".again.*
}

renew_client() {
    change_client "$1" || return 1
    was_told=yes
    await 10 has_client "$1" || fail "$1 does not start again"
}

has_link_local() {
    [ -n "$(addresses6 "$interface" link)" ]
}

# change_udhcpc6 [ADDRESSES]: udhcpc6 runs beside the client of IPv4, and its
# addresses are gone.  It ends where the clone is given an IPv6 address, and else
# asks as another client.
change_udhcpc6() {
    if [ -n "$(of_family 6 "${1:-}")" ]; then
        change_client udhcpc6 "$interface"
    else
        renew_client udhcpc6
    fi
}

# There is no client yet: start the first one that is installed.
start_dhcp() {
    drop_addresses
    if has dhclient; then
        dhclient -nw "$interface"
    elif has dhcpcd; then
        dhcpcd -b "$interface"
    elif has udhcpc; then
        udhcpc -b -i "$interface" -p "$ROOT/run/udhcpc.$interface.pid" \
            >/dev/null 2>&1 &
    else
        return 1
    fi
}

# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Clones made in both ways, compared.  After lib.sh.

SEES=/usr/libexec/xenfork/test-domain
# shellcheck disable=SC2034  # for scripts
ALL=(nodes record listing seen loops links grants files)

# clone WAY NAME [OPTION…]: a paused clone; what was said of it is in $said
clone() {
    local before
    before=$(awk '/^processes/ { print $2 }' /proc/stat)
    said=$(XENFORK_TEST_CLONES=$1 timeout 300 xl fork --json --paused "${@:3}" "${SOURCE:-source}" "$2" 2>/tmp/fork.log) || {
        diag "$(cat /tmp/fork.log)"
        return 1
    }
    diag "$2: $(($(awk '/^processes/ { print $2 }' /proc/stat) - before)) processes; $(jq -c '.clones[0] | del(.nics)' <<<"$said")"
}

uuid_of() { xl list -v "$1" | awk 'NR == 2 { print $7 }'; }

# bare DOM: standard input without what no two clones share
bare() {
    local id uuid node
    id=$(domid_of "$1") uuid=$(uuid_of "$1")
    node=$(xenstore-read "/local/domain/0/backend/vbd/$id/51712/physical-device-path")
    sed -E -e "s,/$id(/|\"| |$),/DOMID\1,g; s,([nrwb(])$id\b,\1DOMID,g; s,(id = \")$id\",\1DOMID\"," \
        -e "s,$uuid,UUID,g; s,\b$1\b,NAME,g; s,\"$node\",\"NODE\",; s,(physical-device = ).*\",\1NUMBER\"," \
        -e 's,"/dev/loop[0-9]+","NODE",' -e 's,(mac = |"mac": )"[^"]*",\1MAC,; s,((start_time|generation|entropy|tty|index|vnc-port|device-model-pid) = )".*",\1SOME,' \
        -e "s,vif$id\.,vifDOMID.,; s,\"domid\": $id\b,\"domid\": DOMID,"
}

# nodes DOM: in xenstore, $TWIN_PATHS besides, with DOMID in it
nodes() {
    local id uuid path
    id=$(domid_of "$1") uuid=$(uuid_of "$1")
    for path in "local/domain/$id" "libxl/$id" "vm/$uuid" local/domain/0/backend/{vbd,vif,console}/"$id" ${TWIN_PATHS//DOMID/$id}; do
        xenstore-ls -fp "/$path" || echo "no $path"
    done | bare "$1"
}
record() { bare "$1" <"/var/lib/xen/userdata-d.$(domid_of "$1").$(uuid_of "$1").libxl-json" | tr -d '\0'; }
listing() { xl list -l "$1" | bare "$1"; }
seen() { "$SEES" "$(domid_of "$1")"; }
loops() {
    losetup -n -O AUTOCLEAR,RO,DIO,OFFSET,SIZELIMIT,LOG-SEC,BACK-FILE -l \
        "$(xenstore-read "/local/domain/0/backend/vbd/$(domid_of "$1")/51712/physical-device-path")" | bare "$1"
}
# links DOM [SUFFIX]
links() {
    ip -d -j link show dev "vif$(domid_of "$1").0${2-}" | jq -S '.[0] | {mtu, flags, master, address, operstate, promiscuity, allmulti, num_tx_queues}' |
        bare "$1"
}
grants() {
    xl debug-keys g
    sleep 0.5
    xl dmesg | sed -n "/grant-table for remote d$(domid_of "$1")/,/grant-table for\|done/p" | sed -n 2p
}
files() { find /var/lib/xen /run/xen -name "*.$(domid_of "$1").*" -printf '%m %u %f\n' | sed "s/-d\.$(domid_of "$1")\./-d.DOMID./" | bare "$1"; }

# same_in_all ONE OTHER WHAT…: of these functions
same_in_all() {
    local what one other
    for what in "${@:3}"; do
        one=$($what "$1") other=$($what "$2")
        if [ -n "$one" ] && [ "$one" = "$other" ]; then
            ok "the same $what"
        else
            fail "the same $what" "$(diff <(echo "$one") <(echo "$other"))"
        fi
    done
}


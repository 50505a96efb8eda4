#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# block-fork, beside a stub of Xen's block-common.sh and a stub of xenfork-block.

# shellcheck source=tests/cli/lib.sh
. "${srcdir:?}/tests/cli/lib.sh"

plan 32
mkdir "$dir/scripts" "$dir/store"
sed "s|^helper=.*|helper='$dir/helper'|" "$builddir/hotplug/block-fork" >"$dir/scripts/block-fork"
cat >"$dir/scripts/block-common.sh" <<'STUB'
fatal() { echo "fatal $*" >>"$LOG"; exit 1; }
xenstore_read_default() { cat "$STORE/${1##*/}" 2>/dev/null || echo "$2"; }
xenstore_write() {
    echo "write $*" >>"$LOG"
    [ "$FAIL" != "${1##*/}" ] || fatal "Writing $1"
}
canonicalise_mode() { case $1 in *!*) echo '!' ;; *w*) echo w ;; *) echo r ;; esac; }
write_dev() { xenstore_write "$XENBUS_PATH/physical-device" "$1"; }
success() { echo success >>"$LOG"; }
STUB
cat >"$dir/helper" <<'STUB'
#!/bin/sh
printf '%s' "$1" >>"$LOG"
shift
printf ' <%s>' "$@" >>"$LOG"
echo >>"$LOG"
[ "$FAIL" != helper ] || { echo "xenfork-block: it is in use" >&2; exit 1; }
case $2 in '' | /*) ;; *) echo /dev/mapper/xenfork-1 ;; esac
STUB
chmod +x "$dir/helper"

# script ACTION: as libxl calls it; for a disk in the store.  No helper is taken from the environment.
script() {
    : >"$dir/log"
    run env XENBUS_PATH="backend/${KIND:-vbd}/7/51712" LOG="$dir/log" STORE="$dir/store" FAIL="${FAIL-}" \
        XENFORK_BLOCK=/bin/false bash -e "$dir/scripts/block-fork" "$@"
}

# disk MODE TARGET
disk() {
    rm -f "$dir/store/"*
    printf '%s' "$1" >"$dir/store/mode"
    printf '%s' "$2" >"$dir/store/params"
}

log() { cat "$dir/log"; }

disk w '/srv/web 1.img'
script add
check 'add: succeeds' is "$status" 0
check 'add: attached; no discard; then it is there' is "$(log)" \
    'attach </srv/web 1.img> <w>
write backend/vbd/7/51712/xenfork-target /srv/web 1.img
write backend/vbd/7/51712/discard-enable 0
write backend/vbd/7/51712/physical-device /dev/mapper/xenfork-1'
check 'add: says nothing' is "$(cat "$dir/out" "$dir/err")" ''

for mode in r 'w!'; do
    disk "$mode" /srv/web1.img
    script add
    check "mode $mode" is "$(log | head -n 1)" "attach </srv/web1.img> <${mode#w}>"
done

disk w "/srv/\$(touch $dir/x)'\"*.img"
script add
check 'a strange name is only a name' is "$(log | head -n 1) $(ls "$dir/x" 2>/dev/null)" \
    "attach </srv/\$(touch $dir/x)'\"*.img> <w> "

disk w /srv/web1.img
echo fd:0 >"$dir/store/physical-device"
script add
check 'add again: nothing' is "$status $(log)" '0 '

FAIL=helper
disk w /srv/web1.img
script add
check 'it cannot be attached: fails' is "$status" 1
check 'and says why' is "$(log | tail -n 1)" 'fatal xenfork-block: it is in use'
check 'nothing is in xenstore, nothing to be detached' is "$(log | grep -c '^write\|^detach')" 0

for key in xenfork-target discard-enable physical-device; do
    FAIL=$key
    disk w /srv/web1.img
    script add
    check "$key cannot be written: fails" is "$status" 1
    check 'and is detached' is "$(log | tail -n 1)" 'detach </srv/web1.img> </dev/mapper/xenfork-1>'
done
FAIL=

disk w /srv/web1.img
echo fd:0 >"$dir/store/physical-device"
script remove
check 'remove' is "$status $(log)" '0 detach </srv/web1.img>'
script remove
check 'and again' is "$status $(log)" '0 detach </srv/web1.img>'

FAIL=helper
script remove
check 'it cannot be detached: fails, and says why' is "$status $(log | tail -n 1)" \
    '1 fatal xenfork-block: it is in use'
FAIL=

disk w /srv/web1.img
echo fd:0 >"$dir/store/physical-device"
echo /dev/mapper/xenfork-1 >"$dir/store/physical-device-path"
echo /srv/web2.img >"$dir/store/xenfork-target"
script remove
check 'what was attached is detached, whatever the target is by now' is "$status $(log)" \
    '0 detach </srv/web2.img> </dev/mapper/xenfork-1>'

disk w /srv/web1.img
script remove
check 'remove after an add that has failed: nothing' is "$status $(log)" '0 '

# By tapback: it is told which tapdisk it is.
KIND=vbd3
disk w vhd:/srv/web1.vhd
echo 0:0 >"$dir/store/physical-device"
script add
check 'tapback: succeeds' is "$status" 0
check 'tapback: attached; then it is there' is "$(log)" 'attach <vhd:/srv/web1.vhd> <w>
write backend/vbd3/7/51712/xenfork-target vhd:/srv/web1.vhd
write backend/vbd3/7/51712/physical-device-path /dev/mapper/xenfork-1
success'
FAIL=physical-device-path
script add
check 'tapback: it cannot be told: detached' is "$status $(log | tail -n 1)" '1 detach <vhd:/srv/web1.vhd> </dev/mapper/xenfork-1>'
FAIL=
script remove
check 'tapback: remove after an add that has failed: nothing' is "$status $(log)" '0 '
echo /run/nbd1.0 >"$dir/store/physical-device-path"
script add
check 'tapback: add again: nothing' is "$status $(log)" '0 '
script remove
check 'tapback: remove' is "$status $(log)" '0 detach <vhd:/srv/web1.vhd> </run/nbd1.0>'
KIND=

# By the name without links: what is detached is what was attached.
: >"$dir/web1.vhd"
ln -s web1.vhd "$dir/link.vhd"
real=$(realpath "$dir/web1.vhd")
for prefix in '' vhd:; do
    disk w "$prefix$dir/link.vhd"
    script add
    check "a link: '$prefix'" is "$(log | head -n 2)" "attach <$prefix$real> <w>
write backend/vbd/7/51712/xenfork-target $prefix$real"
done

disk w ''
script add
check 'no target' is "$status $(log)" '1 fatal No information about the target'

disk w /srv/web1.img
chmod -x "$dir/helper"
script add
check 'no helper' is "$status $(log)" "1 fatal Unable to find $dir/helper"
chmod +x "$dir/helper"

script online
check 'another command' is "$status $(log)" '1 '

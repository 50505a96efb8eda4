#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Sources that xl suspends or saves are refused with the reason and the way out, and go on; devices that cannot be in
# two domains are named, each with the setting that it comes of.
# live: --source --timeout 400
# full: 4.17 4.20
. "$(dirname "$0")/../lib/lib.sh"
. "$LIVE/refuse.sh"

if xl help 2>&1 | grep -q '^ *suspend '; then
    check 'the source is suspended' xl suspend source
    says 'suspended' 1 'the domain is suspended' 'xl resume source' xl fork source a
    says 'suspended, checked' 1 'the domain is suspended' 'xl resume source' xl fork-check source
    says 'suspended, frozen' 1 'the domain is suspended' 'xl resume source' xl fork-freeze source
    check 'it is resumed' xl resume source
    check 'it ticks on' ticks_on source
    check 'and is forked' timeout 120 xl fork source a
    check 'the clone ticks' wait_until 60 ticks_on a
    check 'it goes' xl fork-destroy a
else
    ok 'xl suspend # SKIP this xl has no such verb'
fi

# A file that takes its time: a pipe that is read later. As xl migrate does.
mkfifo /tmp/saved
sleep 1000 <>/tmp/saved &
reader=$!
timeout 200 xl save source /tmp/saved >/dev/null 2>&1 &
save=$!
saves() { pgrep -f 'libxl-save-helper' >/dev/null; }
check 'xl save is under way' wait_until 60 saves
said=$(timeout 60 xl fork source b 2>&1) && status=0 || status=$?
diag "$said"
is 'saved: status' "$status" 1
check 'saved: why' grep -q 'is being saved or migrated' <<<"$said"
check 'saved: the way out' grep -q 'until xl save or xl migrate has ended' <<<"$said"
is 'nothing of it stays' "$(xl fork-list --json | jq length)" 0
cat /tmp/saved >/data/saved &
cat=$!
sleep 1
kill "$reader"
wait "$save"
wait "$cat"
gone() { [ -z "$(domid_of source)" ]; }
check 'the save ends as if nothing had been' gone
check 'and is restored' timeout 120 xl restore /data/saved
check 'it ticks on' wait_until 60 ticks_on source
check 'and is forked' timeout 120 xl fork source c
check 'it goes' xl fork-destroy c

# device NAME CONFIG-LINE WHAT SETTING
device() {
    local said
    sed -e "s/^name = .*/name = \"$1\"/" -e "s|/data/source.img|/data/$1.img|" -e '/^vif/d' /etc/xen/source.cfg >/data/$1.cfg
    printf '%s\n' "$2" >>/data/$1.cfg
    cp --reflink=auto /usr/share/xenfork-guest/disk.img "/data/$1.img"
    check "$1: it is made" timeout 60 xl create -q -p "/data/$1.cfg"
    said=$(xl fork-check "$1" 2>&1)
    diag "$said"
    check "$1: it is named" grep -q "$3" <<<"$said"
    check "$1: and its setting" grep -q "$4" <<<"$said"
    says "$1: forked" 1 "$3" "$4" xl fork "$1" x
    xl destroy "$1"
}
mkdir -p /data/share
device frame 'vfb = [ "vnc=1,vnclisten=127.0.0.1,vncdisplay=7" ]' 'virtual frame buffer' 'vfb='
device share 'p9 = [ "tag=share,path=/data/share,security_model=none" ]' '9p share' 'p9='
done_testing

#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# xl: what would spoil an image is refused; clones that leave are noted.

# shellcheck source=tests/cli/lib.sh
. "${srcdir:?}/tests/cli/lib.sh"

plan 71

xl="$builddir/tests/cli/xl-front"
stub_xl "$dir/real"
use_fake
PATH="$dir/real:$PATH"
export FAKE_STATE="$dir/state" FAKE_LOG="$dir/log"
mkdir -p "$FAKE_STATE/images" "$FAKE_STATE/clones"

refused() {
    run "$xl" "$@"
    check "refused: xl $*" is "$status $(cat "$dir/out")" '1 '
}

passed() {
    run "$xl" "$@"
    check "passed: xl $*" is "$status $(cat "$dir/out")" "0 stub $*"
}

# Without images nothing of ours is run.
printf '#!/bin/sh\nexit 9\n' >"$dir/fake/none"
chmod +x "$dir/fake/none"
mv "$dir/fake/xl-fork" "$dir/fake/kept"
mv "$dir/fake/none" "$dir/fake/xl-fork"
passed unpause web1-image
passed destroy web1-image
passed save web1-image file
mkdir "$FAKE_STATE/images/00000000-0000-0000-0000-000000000000"
refused unpause any
mv "$dir/fake/kept" "$dir/fake/xl-fork"

for verb in unpause pause destroy shutdown reboot suspend resume; do
    refused $verb web1-image
done
check 'says what it is' grep -q "web1-image is an image" "$dir/err"
refused destroy -f web1-image
check 'says the way out' grep -q 'xl fork-image-destroy web1-image' "$dir/err"
refused -vf destroy 4
refused rename web1-image other
refused save -c web1-image file
refused migrate -s ssh -C file web1-image host
refused migrate --max_iters 4 --live web1-image host
refused remus -F -i 100 -s ssh -N script -e web1-image host
refused shutdown -w web1 web1-image
refused mem-set -- 4 512
# xl's own ways to spell a verb and a number.
refused dest web1-image
refused unp 4
refused ren web1-image other
refused -v mig web1-image host
refused destroy 04
refused destroy 4294967300
refused -- destroy web1-image
refused -ft -v destroy web1-image
for verb in cd-insert vkb-attach usbdev-attach qemu-monitor-command; do
    refused $verb web1-image x
done
passed mem web1-image 4
passed con web1-image
passed mem-set web1 4
passed destroy web1
passed rename web1 web1-image
passed console web1-image
passed unpause

: >"$FAKE_LOG"
passed migrate -s 'ssh' web1-1 host7
check 'a clone that is migrated: noted' is "$(cat "$FAKE_LOG")" \
    'leaves web1-1: migrated to host7'
: >"$FAKE_LOG"
rm -r "$FAKE_STATE/images"
passed save web1-1 /data/file
passed destroy web1-1
mkdir "$FAKE_STATE/clones/00000000-0000-0000-0000-000000000001"
passed save -p web1-1 /data/file
check 'a clone that is saved: noted, where there are clones' \
    is "$(cat "$FAKE_LOG")" 'leaves web1-1: saved in /data/file'

: >"$FAKE_LOG"
passed remus -e -i 100 web1-1 host7
check 'a clone that is replicated: noted' is "$(cat "$FAKE_LOG")" \
    'leaves web1-1: replicated to host7'

# What cannot be noted does not begin; what is no clone is not our business.
for code in -27 -22 -12; do
    export FAKE_FAIL=web1-1:$code
    refused migrate web1-1 host7
done
check 'says why' grep -q 'the fake fails' "$dir/err"
check 'says what for' grep -q 'xl migrate was not begun' "$dir/err"
refused save web1-1 /data/file
for code in -4 -23; do
    export FAKE_FAIL=web1-1:$code
    passed migrate web1-1 host7
done
export FAKE_FAIL=open:-3
refused migrate web1-1 host7
FAKE_FAIL=web1-image:-22
refused save web1-image /data/file
check 'cannot tell whether it is an image: says so' \
    grep -q 'cannot tell whether web1-image is an image' "$dir/err"
unset FAKE_FAIL

# -a is for all domains but images, whichever Xen it is.
mkdir "$dir/all"
cat >"$dir/all/xl" <<'STUB'
#!/bin/sh
said=$*
while [ "${1#-}" != "$1" ]; do shift; done
verb=$1
for last; do :; done
case $verb in
list)
    echo 'Name                 ID   Mem VCPUs      State   Time(s)'
    while read -r id state name; do
        [ -e "$FAKE_STATE/gone-$id" ] ||
            echo "$name  $id  128  1  $state  1.5"
    done <<'END'
0 r----- Domain-0
3 -b---- my web
4 --p--- web1-image
5 --ps-d (null)
6 -b---- db
7 ---s-- done
END
    ;;
*)
    echo "$said" >>"$FAKE_LOG"
    [ "$last" != "${FAKE_STUCK:-}" ] || exit 1
    [ "$last" != 6 ] || (sleep 2 && touch "$FAKE_STATE/gone-6") >/dev/null 2>&1 &
    [ "$last" != 3 ] || touch "$FAKE_STATE/gone-3"
    ;;
esac
STUB
chmod +x "$dir/all/xl"
# all WHAT STATUS LOG ARGUMENT...
all() {
    what=$1 want="$2 $3"
    shift 3
    : >"$FAKE_LOG"
    rm -f "$FAKE_STATE"/gone-*
    PATH="$dir/all:$PATH" run "$xl" "$@"
    check "$what: xl $*" is "$status $(paste -sd';' "$FAKE_LOG")" "$want"
}
all 'no image: by the real xl' 0 'shutdown -a' shutdown -a
mkdir -p "$FAKE_STATE/images/00000000-0000-0000-0000-000000000000"
all 'each, but the image' 0 '-v reboot -F 3;-v reboot -F 6;-v reboot -F 7' -v reboot -aF
all 'waits' 0 'shutdown 3;shutdown 6;shutdown 7' shutdown --all -w
check 'until all have ended' test -e "$FAKE_STATE/gone-6"
export FAKE_STUCK=3
all 'one that fails' 1 'shut 3;shut 6;shut 7' shut --al --wait
unset FAKE_STUCK
all 'help' 0 'shutdown -ah' shutdown -ah
all 'a domain of that name' 0 'shutdown -- -a' shutdown -- -a
export FAKE_FAIL=list:-22
all 'cannot tell' 0 'shutdown -a' shutdown -a
check 'says so' grep -q 'cannot tell which domains are images' "$dir/err"
unset FAKE_FAIL

chmod -x "$dir/fake/xl-fork"
refused migrate web1-1 host7
passed destroy web1-1

#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Commands that are not ours reach the real xl untouched.

# shellcheck source=tests/cli/lib.sh
. "${srcdir:?}/tests/cli/lib.sh"

plan 15

stub_xl "$dir/real"
PATH="$dir/real:$PATH"

run "$xl" show 'a b' '' "c'd" '*' -x
check 'arguments with spaces, empty, quoted' is "$(cat "$dir/out")" \
    "$(printf '<show>\n<a b>\n<>\n<%s>\n<*>\n<-x>' "c'd")"

run "$xl" -vf -N show forks fork
check 'options of xl ahead of a command of the real xl' \
    is "$(cat "$dir/out")" 'stub -vf -N show forks fork'

run "$xl" forkful
check 'a command that only looks like ours' is "$(cat "$dir/out")" \
    'stub forkful'

run "$xl" -q fork
check 'an option that xl does not know' is "$(cat "$dir/out")" 'stub -q fork'

run "$xl"
check 'no command' is "$(cat "$dir/out")" 'stub '

printf 'one\ntwo' | "$xl" cat >"$dir/out"
check 'stdin' is "$(cat "$dir/out")" "$(printf 'one\ntwo')"

codes=
for code in 0 1 2 3 77 255; do
    run "$xl" exit $code
    codes="$codes $status"
done
check 'exit status' is "$codes" ' 0 1 2 3 77 255'

run "$xl" kill TERM
check 'death by a signal' is "$status" 143

"$xl" pid >"$dir/out" &
pid=$!
wait $pid
check 'same process' is "$(cat "$dir/out")" $pid

run "$xl" -v help list
check 'help of a command of the real xl' is "$(cat "$dir/out")" \
    'stub -v help list'

# A front end that is itself in PATH, by link and under another name
mkdir "$dir/front"
ln -s "$xl" "$dir/front/xl"
PATH="$dir/front:$PATH" run xl show x
check 'our own link in PATH is passed over' is "$(cat "$dir/out")" \
    "$(printf '<show>\n<x>')"

# A copy of ourselves is another file: only the guard ends this
mkdir "$dir/copy"
cp "$xl" "$dir/copy/xl"
PATH="$dir/copy:$dir/front" run xl show x
check 'two front ends do not call each other for ever' is "$status" 1

mkdir "$dir/script"
printf '#!/bin/sh\n"%s" "$@"\n' "$xl" >"$dir/script/xl"
chmod +x "$dir/script/xl"
PATH="$dir/script:$PATH" run "$xl" show x
check 'a script that calls us does not go round for ever' is "$status" 1

mkdir "$dir/empty"
chmod -x "$dir/real/xl"
PATH="$dir/real:/usr/bin:/bin" run "$xl" show x
if [ -e /usr/sbin/xl ] || ls /usr/lib/xen-*/bin/xl >/dev/null 2>&1; then
    count=$((count + 2))
    echo "ok $((count - 1)) # SKIP this machine has a real xl"
    echo "ok $count # SKIP this machine has a real xl"
else
    check 'no real xl: exit status' is "$status" 1
    check 'no real xl: message' grep -q xen-utils-common "$dir/err"
fi

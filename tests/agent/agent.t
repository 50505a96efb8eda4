#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# xenfork-agent on a fake xenstore, in which this script is the toolstack.

# shellcheck source=tests/cli/lib.sh
. "${srcdir:?}/tests/cli/lib.sh"

agent="${builddir:?}/guest/xenfork-agent"
store="$dir/store" hooks="$dir/etc"
export agent store hooks dir

one=11111111-1111-4111-8111-111111111111
two=22222222-2222-4222-8222-222222222222
export one two

# What the toolstack does, for the scripts below.
cat >"$dir/lib" <<'LIB'
put() { printf '%s' "$2" >"$store/$1"; }
changed() { kill -USR1 "$FAKE"; }
run_agent() { (exec_agent "$@"); }
exec_agent() {
    exec "$agent" --xenbus "$XENBUS" --config-dir "$hooks" --run-dir "$dir/run" \
        --random /dev/null "$@"
}
# until_true COMMAND...: for at most 10 seconds
until_true() {
    tries=0
    until "$@"; do
        tries=$((tries + 1))
        [ "$tries" -lt 200 ] || return 1
        sleep 0.05
    done
}
asked() { [ "$(cat "$store/data/fork/freeze" 2>/dev/null)" = 1 ]; }
acked() { [ "$(cat "$store/data/fork/ack" 2>/dev/null)" = "$1" ]; }
# What a clone finds.
become_clone() {
    rm -f "$store/data/fork/"*
    put fork/role clone
    put fork/source db
    put fork/index 3
    put fork/generation "$1"
    changed
}
LIB

# An empty store, no hooks, no memory of anything.
reset() {
    rm -rf "$store" "$hooks" "$dir/run" "$dir/log"
    mkdir -p "$store/data/fork" "$store/fork/params" "$hooks/pre-freeze.d" \
        "$hooks/post-thaw.d" "$hooks/post-fork.d"
    printf 'web' >"$store/name"
    : >"$dir/log"
}

# hook DIRECTORY/NAME COMMAND
hook() {
    printf '#!/bin/sh\n%s\n' "$2" >"$hooks/$1"
    chmod +x "$hooks/$1"
}

# scene COMMANDS: with the agent and the toolstack at hand
scene() {
    run "$builddir/tests/agent/fake-xenbus" "$store" \
        sh -uc '. "$dir/lib"; eval "$1"' sh "$1"
}

put() {
    printf '%s' "$2" >"$store/$1"
}

out() {
    cat "$dir/out"
}

has_err() {
    grep -q -e "$1" "$dir/err"
}

in_manual() {
    for option in $("$agent" --help | grep -o -e ' --[a-z][a-z-]*'); do
        grep -q -e "B<$option>" "$srcdir/docs/xenfork-agent.8.pod" || {
            echo "# $option is not in docs/xenfork-agent.8.pod"
            return 1
        }
    done
}

plan 44

# Usage.
run "$agent" --help
check '--help' is "$status:$(head -n 1 "$dir/out")" \
    '0:Usage: xenfork-agent [OPTION]... COMMAND'
check 'every option is in the manual' in_manual
for words in '' nonsense 'get' 'get a b' 'role x' '--nonsense role' \
    '--timeout x freeze' '--timeout -1 freeze' '--hook-timeout 0 adapt'; do
    # shellcheck disable=SC2086 # words
    run "$agent" $words
    check "usage: $words" is "$status" 2
done
run "$agent" --xenbus "$dir/nothing" role
check 'no xenstore' is "$status" 1

# Questions.
reset
scene 'run_agent role'
check 'role: none' is "$status:$(out)" '0:none'
put fork/role frozen
scene 'run_agent role'
check 'role' is "$status:$(out)" '0:frozen'
scene 'run_agent params'
check 'params: none' is "$status:$(out)" '0:'
put fork/params/b.x "it's \$HOME \`x\`"
put fork/params/a '10.0.0.1/24'
scene 'run_agent params'
check 'params: quoted, in order' is "$(out)" "a='10.0.0.1/24'
b.x='it'\\''s \$HOME \`x\`'"
scene 'eval "$(run_agent --eval params)"; echo "$XENFORK_PARAM_B_X"'
check 'params --eval: a shell gets the value' is "$(out)" \
    "it's \$HOME \`x\`"
scene 'run_agent get a'
check 'get' is "$status:$(out)" '0:10.0.0.1/24'
scene 'run_agent get c'
check 'get: no such' is "$status:$(out)" '1:'
scene 'run_agent get ../role'
check 'get: not a key' is "$status:$(out)" '2:'

# Adaptation.
reset
hook post-fork.d/20-b 'echo b >>"$dir/log"; exit 3'
hook post-fork.d/10-a 'echo a >>"$dir/log"; echo noise'
# shellcheck disable=SC2016 # of the hook
hook post-fork.d/30-c 'echo "$XENFORK_ROLE $XENFORK_GENERATION $XENFORK_SOURCE \
$XENFORK_INDEX $XENFORK_NAME $XENFORK_PARAM_A_B" >>"$dir/log"'
hook post-fork.d/40-x.dpkg-old 'echo never >>"$dir/log"'
hook post-fork.d/45-x 'echo never >>"$dir/log"'
chmod -x "$hooks/post-fork.d/45-x"
scene 'run_agent adapt'
check 'adapt: nothing to do in no clone' is "$status:$(cat "$dir/log")" '0:'
put fork/params/a.b value
scene 'become_clone "$one"; run_agent adapt'
check 'adapt' is "$status:$(out)" 0:
check 'adapt: hooks in order, all of them, with their environment' \
    is "$(cat "$dir/log")" "a
b
clone $one db 3 web value"
check 'adapt: acknowledged' is "$(cat "$store/data/fork/ack")" "$one"
check 'adapt: what failed is named' has_err '20-b: failed with status 3'
check 'adapt: a hook writes to standard error' has_err noise
check 'adapt: a generator that is none is said' has_err 'not reseeded'
scene 'run_agent adapt; run_agent adapt'
check 'adapt: once' is "$(wc -l <"$dir/log")" 3
rm -rf "$dir/run"
scene 'run_agent adapt'
check 'adapt: once, by the acknowledgement alone' is "$(wc -l <"$dir/log")" 3
scene 'rm "$store/data/fork/ack"; mkdir -p "$dir/run"
    printf %s "$one" >"$dir/run/generation"; run_agent adapt'
check 'adapt: once, by the file alone' is "$(wc -l <"$dir/log")" 3
scene 'become_clone "$two"; run_agent adapt'
check 'adapt: a clone of the clone' is "$(wc -l <"$dir/log")" 6

# A hook that hangs, with a child of its own that does.
reset
hook post-fork.d/10-hang 'trap "" TERM; sleep 300 & wait; sleep 300'
hook post-fork.d/20-after 'echo after >>"$dir/log"'
scene 'become_clone "$one"; run_agent --hook-timeout 1 adapt'
check 'a hook that hangs is ended' has_err '10-hang: not done within 1 s'
check 'and the next one runs' is "$(cat "$dir/log")" after

# Forked while it adapts.
reset
# shellcheck disable=SC2016 # of the hook
hook post-fork.d/10-fork 'echo "$XENFORK_GENERATION" >>"$dir/log"
printf %s "$two" >"$store/fork/generation"'
scene 'become_clone "$one"; run_agent adapt'
check 'forked while adapting: again, for the new one' \
    is "$(paste -sd" " "$dir/log")" "$one $two"
check 'and that is what is acknowledged' \
    is "$(cat "$store/data/fork/ack")" "$two"

# Freezing.
reset
hook pre-freeze.d/10 'echo pre >>"$dir/log"'
# shellcheck disable=SC2016 # of the hook
hook post-thaw.d/10 'echo "thaw $XENFORK_ROLE" >>"$dir/log"'
# shellcheck disable=SC2016 # of the hook
hook post-fork.d/10 'echo "fork $XENFORK_GENERATION" >>"$dir/log"'
scene '(until_true asked; put fork/role source; put fork/generation "$one"
    put data/fork/freeze 0; changed) & run_agent freeze; echo $?; wait'
check 'freeze: in the source' is "$(out)" 'source
0'
check 'freeze: hooks of the source' is "$(paste -sd" " "$dir/log")" \
    'pre thaw source'
: >"$dir/log"
scene 'exec_agent watch & watch=$!
    (until_true asked; become_clone "$two") & run_agent freeze; echo $?
    until_true acked "$two"; kill "$watch"; wait'
check 'freeze: in a clone' is "$(out)" 'clone
10'
check 'freeze: a clone adapts once, with watch running' \
    is "$(paste -sd" " "$dir/log")" "pre fork $two"

# A clone that is frozen, and thawed, is no new clone.
: >"$dir/log"
scene '(until_true asked; put data/fork/freeze 0; changed) &
    run_agent freeze; echo $?; wait'
check 'freeze: a clone as the source of others' is "$(out)" 'source
0'

# Not frozen.
: >"$dir/log"
scene '(until_true asked; put fork/error "no room"; put data/fork/freeze 0
    changed) & run_agent freeze; echo $?; wait'
check 'freeze refused: the reason, and 1' \
    is "$(out):$(cat "$dir/err")" '1:xenfork-agent: not frozen: no room'
rm "$store/fork/error"
: >"$dir/log"
scene 'run_agent --timeout 1 freeze; echo $?'
check 'freeze in vain: 1, withdrawn, post-thaw.d' \
    is "$(out) $(cat "$store/data/fork/freeze") $(paste -sd" " "$dir/log")" \
    '1 0 pre thaw source'
scene 'exec_agent freeze & until_true asked; kill $!; wait $!; echo $?'
check 'freeze interrupted: 1, withdrawn' \
    is "$(out) $(cat "$store/data/fork/freeze")" '1 0'
hook pre-freeze.d/20 'exit 1'
rm "$store/data/fork/freeze"
scene 'run_agent freeze; echo $?; asked && echo asked'
check 'a hook of pre-freeze.d fails: not asked for' is "$(out)" 1

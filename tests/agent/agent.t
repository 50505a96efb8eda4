#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# xenfork-agent on a fake xenstore, in which this script is the toolstack.

# shellcheck source=tests/cli/lib.sh
. "${srcdir:?}/tests/cli/lib.sh"

agent="${builddir:?}/tests/agent/test-xenfork-agent" # its ioctl() is ours
store="$dir/store" hooks="$dir/etc"
export agent store hooks dir

one=11111111-1111-4111-8111-111111111111
two=22222222-2222-4222-8222-222222222222
export one two

# Do what the toolstack does, for the scripts below.
cat >"$dir/lib" <<'LIB'
put() { printf '%s' "$2" >"$store/$1"; }
changed() { kill -USR1 "$FAKE"; }
run_agent() { (exec_agent "$@"); }
exec_agent() {
    exec "$agent" --xenbus "$XENBUS" --config-dir "$hooks" --run-dir "$dir/run/a/b" \
        --state-dir "$dir/state/a/b" --random /dev/null "$@"
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
# Nodes that a clone finds.
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
    rm -rf "$store" "$hooks" "$dir/run" "$dir/state" "$dir/log"
    mkdir -p "$store/data/fork" "$store/fork/params" "$hooks/pre-freeze.d" \
        "$hooks/post-thaw.d" "$hooks/post-fork.d"
    printf 'web' >"$store/name"
    printf '%0128d' 7 >"$store/fork/entropy"
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

not() {
    ! "$@"
}

in_manual() {
    for option in $("$agent" --help | grep -o -e ' --[a-z][a-z-]*'); do
        grep -q -e "B<$option>" "$srcdir/docs/xenfork-agent.8.pod" || {
            echo "# $option is not in docs/xenfork-agent.8.pod"
            return 1
        }
    done
}

plan 69

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
check 'adapt: a hook that nobody may execute is named' has_err "45-x: passed over"
check 'adapt: hooks in order, with their environment' \
    is "$(cat "$dir/log")" "a
clone $one db 3 web value"
check 'adapt: acknowledged' is "$(cat "$store/data/fork/ack")" "$one"
check 'adapt: reseeded' is "$(cat "$store/data/fork/reseeded")" "$one"
check 'adapt: nothing to complain of' not test -e "$store/data/fork/error"
check 'adapt: a hook writes to standard error' has_err noise
scene 'run_agent adapt; run_agent adapt'
check 'adapt: once' is "$(wc -l <"$dir/log")" 2
rm -rf "$dir/run"
scene 'run_agent adapt'
check 'adapt: once, by the acknowledgement alone' is "$(wc -l <"$dir/log")" 2
scene 'rm "$store/data/fork/ack"; mkdir -p "$dir/run/a/b"
    printf %s "$one" >"$dir/run/a/b/generation"; run_agent adapt'
check 'adapt: once, by the file alone' is "$(wc -l <"$dir/log")" 2
scene 'become_clone "$two"; run_agent adapt'
check 'adapt: a clone of the clone' is "$(wc -l <"$dir/log")" 4

# It starts again: another boot, another xenstore, the same disk.
starts_again() {
    rm -rf "$dir/run" "$store/data/fork/ack"
    scene 'run_agent adapt'
}
reset
hook post-fork.d/10-again 'echo "$XENFORK_AGAIN" >>"$dir/log"; echo "$XENFORK_STATE" >"$dir/state-told"'
scene 'become_clone "$one"; run_agent adapt'
starts_again
check 'again: hooks are told, and it acknowledges' \
    is "$(paste -sd' ' "$dir/log") $(cat "$store/data/fork/ack")" "no yes $one"
scene 'become_clone "$two"; run_agent adapt'
check 'again: hooks have a folder that outlives it' is "$(cat "$dir/state-told")" "$dir/state/a/b"
check 'again: not a clone of the clone' is "$(paste -sd' ' "$dir/log")" 'no yes no'
starts_again
check 'again: that one, too' is "$(paste -sd' ' "$dir/log")" 'no yes no yes'
reset
hook post-fork.d/10-again 'echo "$XENFORK_AGAIN" >>"$dir/log"; [ -e "$dir/good" ]'
scene 'become_clone "$one"; run_agent adapt'
starts_again
: >"$dir/good"
starts_again
starts_again
check 'again: not before it has adapted' is "$(paste -sd' ' "$dir/log")" 'no no no yes'
reset
hook post-fork.d/10-again 'echo "$XENFORK_AGAIN" >>"$dir/log"'
: >"$dir/state"
scene 'become_clone "$one"; run_agent adapt'
check 'again: a disk that cannot be written is said' \
    is "$status $(grep -c 'the next start adapts anew' "$dir/err")" '0 1'
starts_again
check 'again: and it adapts anew' is "$(paste -sd' ' "$dir/log") \
$(cat "$store/data/fork/ack")" "no no $one"

# said: what the clone says: acknowledged, reseeded, the error
said() {
    for node in ack reseeded; do
        [ ! -e "$store/data/fork/$node" ] || printf '%s ' "$node"
    done
    cat "$store/data/fork/error" 2>/dev/null || :
}

# A step fails: the others are taken, and there is no acknowledgement.
reset
hook post-fork.d/10-a 'echo a >>"$dir/log"; exit 3'
# shellcheck disable=SC2016 # of the hook
hook post-fork.d/20-b 'echo b >>"$dir/log"; echo "not me" >"$XENFORK_REASON"
exit 4'
scene 'become_clone "$one"; run_agent adapt'
check 'a hook fails: status' is "$status:$(cat "$dir/log")" '1:a
b'
check 'a hook fails: not acknowledged, the first is named' is "$(said)" \
    'reseeded 10-a: failed with status 3'
check 'a hook fails: both are logged' has_err '20-b: failed with status 4'
: >"$dir/log"
scene 'exec_agent watch & watch=$!; changed; sleep 0.5; kill "$watch"; wait'
check 'a hook fails: the service does not try it for ever' \
    is "$(cat "$dir/log")" ''
rm "$hooks/post-fork.d/10-a"
scene 'run_agent adapt'
check 'a hook fails: its own reason' is "$(said)" 'reseeded 20-b: not me'
hook post-fork.d/20-b 'exit 0'
scene 'run_agent adapt'
check 'mended: adapt by hand does it again' is "$status $(said)" \
    '0 ack reseeded '
reset
# shellcheck disable=SC2016 # of the hook
hook post-fork.d/10-a 'printf "\033[2J\303\244%0900d" 0 >"$XENFORK_REASON"; exit 1'
scene 'become_clone "$one"; run_agent adapt'
check 'a reason is short, and printable' is \
    "$(cut -c 1-16 "$store/data/fork/error") $(wc -c <"$store/data/fork/error")" \
    '10-a: ?[2J??0000 199'
reset
hook post-fork.d/10-a 'kill -9 $$'
scene 'become_clone "$one"; run_agent adapt'
check 'a hook is killed' is "$(said)" 'reseeded 10-a: killed by signal 9'
reset
ln -s nowhere "$hooks/post-fork.d/10-a"
scene 'become_clone "$one"; run_agent adapt'
check 'a hook that leads nowhere' is "$(said)" \
    'reseeded 10-a: failed with status 126'
reset
rmdir "$hooks/post-fork.d"
scene 'become_clone "$one"; run_agent adapt'
check 'a directory of hooks is missing' is "$(said)" \
    'reseeded post-fork.d: No such file or directory'
reset
rmdir "$hooks/post-fork.d"
: >"$hooks/post-fork.d"
scene 'become_clone "$one"; run_agent adapt'
check 'no directory of hooks' is "$(said)" \
    'reseeded post-fork.d: Not a directory'
reset
hook post-fork.d/10-a 'echo a >>"$dir/log"'
scene 'become_clone "$one"; run_agent --random /dev/full adapt'
check 'not reseeded: not said, not acknowledged; hooks run' is \
    "$(said) $(cat "$dir/log")" 'reseed: No space left on device a'
reset
rm "$store/fork/entropy"
scene 'become_clone "$one"; run_agent adapt'
check 'no entropy' is "$(said)" 'reseed: no entropy came with this fork'
reset
printf '%01025d' 1 >"$store/fork/params/a"
scene 'become_clone "$one"; run_agent adapt'
check 'a parameter that cannot be read' is "$(said)" \
    'reseeded parameters: Message too long'

# A hook that hangs, with a child of its own that does.
reset
hook post-fork.d/10-hang 'trap "" TERM; sleep 300 & wait; sleep 300'
hook post-fork.d/20-after 'echo after >>"$dir/log"'
scene 'become_clone "$one"; run_agent --hook-timeout 1 adapt'
check 'a hook that hangs is ended' has_err '10-hang: not done within 1 s'
check 'and the next one runs' is "$(cat "$dir/log")" after
check 'and it is a failure' is "$(said)" \
    'reseeded 10-hang: not done within 1 s'
# shellcheck disable=SC2016 # of the hook
hook post-fork.d/10-hang '(trap "" TERM; exec sleep 300) & echo $! >"$dir/child"
wait'
scene 'become_clone "$one"; run_agent --hook-timeout 1 adapt'
child=$(cat "$dir/child")
gone() { ! kill -0 "$child" 2>/dev/null || grep -q '^State:	Z' "/proc/$child/status"; }
check 'its child does not outlive it' gone

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

# The one before could not, this one can.
reset
# shellcheck disable=SC2016 # of the hook
hook post-fork.d/10-fork 'printf %s "$two" >"$store/fork/generation"
[ "$XENFORK_GENERATION" = "$two" ]'
scene 'become_clone "$one"; run_agent adapt'
check 'forked while it fails: only the new one counts' is \
    "$(cat "$store/data/fork/ack") $(said)" "$two ack reseeded "

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

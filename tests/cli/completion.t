#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# bash completion.

# shellcheck source=tests/cli/lib.sh
. "${srcdir:?}/tests/cli/lib.sh"

if ! command -v bash >/dev/null; then
    echo '1..0 # SKIP no bash'
    exit 0
fi

stub_xl "$dir/real"
use_fake
PATH="$dir/fake:$dir/real:$PATH"

# completed WORD...: the completions of the last word, one to a line.
completed() {
    # shellcheck disable=SC2016 # expanded by that shell
    bash --norc -c '
        . "$1"
        shift
        COMP_WORDS=("$@")
        COMP_CWORD=$(($# - 1))
        _xl_fork
        printf "%s\n" "${COMPREPLY[@]}"
    ' bash "$srcdir/xl-plugin/xl-fork.bash-completion" "$@" | sed 's/ *$//' |
        sort -u | paste -sd' '
}

# Complete the guest's agent.
agent_completed() {
    # shellcheck disable=SC2016 # expanded by that shell
    PATH="$builddir/guest:$PATH" bash --norc -c '
        . "$1"
        shift
        COMP_WORDS=("$@")
        COMP_CWORD=$(($# - 1))
        _xenfork_agent
        printf "%s\n" "${COMPREPLY[@]}"
    ' bash "$srcdir/guest/xenfork-agent.bash-completion" "$@" | sort -u |
        paste -sd' '
}

# Complete the daemon.
daemon_completed() {
    # shellcheck disable=SC2016 # expanded by that shell
    PATH="$builddir/daemon:$PATH" bash --norc -c '
        . "$1"
        shift
        COMP_WORDS=("$@")
        COMP_CWORD=$(($# - 1))
        _xenforkd
        printf "%s\n" "${COMPREPLY[@]}"
    ' bash "$srcdir/daemon/xenforkd.bash-completion" "$@" | sort -u |
        paste -sd' '
}

plan 18

check 'verbs' is "$(completed xl fork-i)" 'fork-image-destroy fork-info'
check 'options' is "$(completed xl fork --n)" '--net --nic --no-hydrate'
check 'options of a verb without many' is "$(completed xl fork-list --)" \
    '--help --json --verbose'
check 'value' is "$(completed xl fork --net h)" 'hold'
check 'value of hydrate' is "$(completed xl fork --hydrate = n)" 'never now'
check 'value of ephemeral' is "$(completed xl fork --ephemeral = c)" 'crash'
check 'value after =' is "$(completed xl fork --net = c)" 'connect'
check 'no value' is "$(completed xl fork --timeout '')" ''
check 'domains' is "$(completed xl fork '')" 'db1 web1'
check 'what fork-net does' is "$(completed xl fork-net web1-1 c)" 'connect'
check 'params' is "$(completed xl fork --par)" '--param --params-file'
check 'clones and images' is "$(completed xl fork-destroy web1)" \
    'web1-1 web1-image'
check 'a command of the real xl is not ours' is "$(completed xl list '')" ''
check 'agent: commands' is "$(agent_completed xenfork-agent f)" 'freeze'
check 'agent: options' is "$(agent_completed xenfork-agent --r)" \
    '--random --run-dir'
check 'agent: no value' is "$(agent_completed xenfork-agent --timeout '')" ''
check 'daemon: options' is "$(daemon_completed xenforkd --c)" \
    '--check-config --config'
check 'daemon: file' is "$(daemon_completed xenforkd --config "$srcdir/daemon/xenfork.c")" \
    "$srcdir/daemon/xenfork.conf"

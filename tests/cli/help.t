#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Help, in every way that it can be asked for; options against the manual.

# shellcheck source=tests/cli/lib.sh
. "${srcdir:?}/tests/cli/lib.sh"

verbs='fork fork-check fork-list fork-info fork-disk-list fork-memory fork-net fork-freeze
    fork-thaw fork-hydrate fork-detach fork-reset fork-start fork-destroy fork-forget fork-image-destroy
    fork-recover'

has() {
    grep -q -e "$1" "$dir/out"
}

# Long options of a --help text.
options_of() {
    "$xl" "$1" --help | grep -o -e ' --[a-z][a-z-]*' | sort -u
}

# The part of the manual about a verb, and those common options that it has.
manual_of() {
    awk -v verb="$1" '
        /^=head1/ { own = $0 == "=head1 XL " toupper(verb); common = $0 == "=head1 COMMON OPTIONS" }
        own { print }
        common && /^=item/ { item = $0 }
        common && (/^Every verb:/ || index($0, "B<" verb ">")) { print item }
    ' "$srcdir/docs/xl-fork.1.pod"
}

drivers_of_help() {
    "$xl" fork --help | sed -n '/^ *reflink, /{s/\[[^]]*\]//g; s/[,;]//g; p; q}'
}

drivers_in_manual() {
    [ -n "$(drivers_of_help)" ] || return
    for driver in $(drivers_of_help); do
        grep -q -i -x "=head1 $driver" "$srcdir/docs/xenfork-disks.7.pod" || {
            echo "# $driver is not in docs/xenfork-disks.7.pod"
            return 1
        }
    done
}

in_manual() {
    for option in $(options_of "$1"); do
        manual_of "$1" | grep -q -e "B<$option>" || {
            echo "# $1 $option is not in docs/xl-fork.1.pod"
            return 1
        }
    done
}

plan $((6 + 17 * 4))

stub_xl "$dir/real"
use_fake
PATH="$dir/real:$PATH"

run "$xl" help
check "help: the real xl's first" is "$(head -n1 "$dir/out")" 'stub help'
check 'help: ours after it' has '^ fork-image-destroy  *Destroy'
check 'help: exit status' is "$status" 0

chmod -x "$dir/real/xl"
PATH="$dir/real:/usr/bin:/bin" run "$xl" help
check 'help: ours even without a real xl' has '^ fork  *Fork a running domain'
chmod +x "$dir/real/xl"

run "$xl" help fork-nonsense
check 'help of no command' is "$status" 2

for verb in $verbs; do
    run "$xl" "$verb" -h
    mv "$dir/out" "$dir/short"
    run "$xl" "$verb" --help
    mv "$dir/out" "$dir/long"
    run "$xl" -v help "$verb"
    check "$verb: exit status of help" is "$status" 0
    check "$verb: usage" has "^Usage: xl $verb "
    check "$verb: -h, --help and help are the same" \
        is "$(cat "$dir/short" "$dir/long")" "$(cat "$dir/out" "$dir/out")"
    check "$verb: every option is in the manual" in_manual "$verb"
done

check 'every driver has its part of a manual' drivers_in_manual

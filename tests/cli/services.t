#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Units and init scripts: they start what is installed.

# shellcheck source=tests/cli/lib.sh
. "${srcdir:?}/tests/cli/lib.sh"

units="$builddir/daemon/xenforkd.service $builddir/guest/xenfork-agent.service"
scripts="$builddir/daemon/xenforkd.init $builddir/guest/xenfork-agent.init"

# verified UNIT: systemd finds no fault with it, but that nothing is installed
verified() {
    sed -e 's,^Exec\([A-Z][a-z]*\)=.*,Exec\1=/bin/true,' -e '/^Documentation=/d' \
        "$1" >"$dir/${1##*/}"
    run systemd-analyze verify "$dir/${1##*/}"
    # In a build root other units are missing: only what is said of ours counts.
    ! grep "${1##*/}" "$dir/err"
}

plan 11

for unit in $units; do
    file=${unit##*/}
    check "$file: starts a program by its path" \
        grep -q "^ExecStart=/[^@]*/${file%.service}\( \|\$\)" "$unit"
    check "$file: no place-holder is left" is "$(grep -c '@' "$unit")" 0
    if command -v systemd-analyze >/dev/null; then
        check "$file: systemd takes it" verified "$unit"
    else
        count=$((count + 1))
        echo "ok $count - $file: systemd takes it # SKIP no systemd-analyze"
    fi
done
check 'device models outlive the daemon' \
    is "$(grep -c '^KillMode=process$' "$builddir/daemon/xenforkd.service")" 1
check 'the agent: after the network of the system' grep -q '^After=.* network.target' \
    "$builddir/guest/xenfork-agent.service"
check 'the agent: so on sysvinit' grep -q '^# Should-Start: *\$network$' "$builddir/guest/xenfork-agent.init"
for script in $scripts; do
    check "${script##*/}: a script without place-holders" \
        eval "sh -n '$script' && grep -q '^DAEMON=/[^@]*\$' '$script'"
done

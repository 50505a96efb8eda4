# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=sh
# Sourced by tests/cli/*.t: TAP, and a PATH with our xl and a stub of Xen's.

set -u

xl="${builddir:?}/xl-plugin/xl"
count=0
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

plan() {
    echo "1..$1"
}

# From here on xl is our front end beside verbs that link a fake libxenfork:
# the front end looks for xl-fork where it is itself, so that must be a copy.
use_fake() {
    mkdir "$dir/fake"
    cp "$xl" "$dir/fake/xl"
    printf '#!/bin/sh\nexec "%s" "$@"\n' "$builddir/tests/cli/xl-fork" \
        >"$dir/fake/xl-fork"
    chmod +x "$dir/fake/xl-fork"
    xl="$dir/fake/xl"
}

# check NAME COMMAND...: one TAP line, by the command's exit status.
check() {
    name=$1
    shift
    count=$((count + 1))
    if "$@"; then
        echo "ok $count - $name"
    else
        echo "not ok $count - $name"
        for file in "$dir/out" "$dir/err"; do
            if [ -e "$file" ]; then
                sed "s,^,# ${file##*/}: ," "$file"
            fi
        done
    fi
}

# run COMMAND...: leaves status, $dir/out and $dir/err.
run() {
    status=0
    "$@" >"$dir/out" 2>"$dir/err" || status=$?
}

is() {
    [ "$1" = "$2" ] && return 0
    echo "# got:  $1"
    echo "# want: $2"
    return 1
}

# stub_xl DIR: a real xl that does as its first argument says.
stub_xl() {
    mkdir -p "$1"
    cat >"$1/xl" <<'STUB'
#!/bin/sh
case $1 in
show)
    for arg; do
        printf '<%s>\n' "$arg"
    done
    ;;
zero)
    tr '\0' '\n' </proc/$$/cmdline
    ;;
list) printf 'Name ID\ndb1 1\nweb1 3\n' ;;
cat) cat ;;
exit) exit "$2" ;;
kill) kill -"$2" $$ ;;
pid) echo $$ ;;
help)
    shift
    echo "stub help${*:+ of }$*"
    ;;
*) echo "stub $*" ;;
esac
STUB
    chmod +x "$1/xl"
}

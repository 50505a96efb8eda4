# shellcheck shell=bash
# The cache of built parts. A part is a directory named KIND-VARIANT-HASH, where HASH is taken over
# everything the part is made from. It is made under another name and renamed when whole, so a build
# that was killed leaves nothing that looks finished.
#
# For each kind lib/part-KIND.sh defines:  key_KIND VARIANT       print what the part is made from
#                                          make_KIND DIR VARIANT  make it in DIR

TESTBED=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
TOP=$(cd "$TESTBED/../.." && pwd)
CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/xenfork

# The status of build-hypervisor, and of all that needs it, when the archive has no source of that Xen.
# shellcheck disable=SC2034 # for ../build
NO_SOURCE=69

note() { printf 'testbed: %s\n' "$*" >&2; }
die() { note "$*"; exit 1; }

# digest FILE-OR-DIRECTORY…: one line for names and contents
digest() {
    find "$@" -type f ! -name '*.pyc' -print0 | LC_ALL=C sort -z | xargs -0 sha256sum | sed "s|$TOP/||" |
        sha256sum
}

load_part() {
    # shellcheck source=/dev/null
    . "$TESTBED/lib/part-$1.sh"
}

# part_path KIND VARIANT: where the part is, or will be
part_path() {
    load_part "$1"
    local hash
    hash=$({ cat "$TESTBED/lib/part-$1.sh"; "key_$1" "$2"; } | sha256sum)
    printf '%s/%s-%s-%.16s\n' "$CACHE" "$1" "$2" "$hash"
}

# need KIND VARIANT: make the part unless it is there; print its path
need() {
    local path lock
    path=$(part_path "$1" "$2") || return
    if [ ! -d "$path" ]; then
        mkdir -p "$CACHE/lock"
        exec {lock}>"$CACHE/lock/${path##*/}"
        flock "$lock"
        [ -d "$path" ] || make_part "$path" "$1" "$2" {lock}>&- || return
        exec {lock}>&-
    fi
    printf '%s\n' "$path"
}

make_part() {
    local path=$1 kind=$2 variant=$3 start=$SECONDS status=0
    rm -rf "$path.new"
    mkdir -p "$path.new"
    note "$kind $variant: making"
    # A shell of its own: set -e does not work below an if, && or ||.
    bash -euo pipefail -c '. "$0/lib/cache.sh"; load_part "$1"; "make_$1" "$3" "$2"' \
        "$TESTBED" "$kind" "$variant" "$path.new" >"$path.log" 2>&1 </dev/null || status=$?
    if [ "$status" -ne 0 ]; then
        tail -n 20 "$path.log" >&2
        note "$kind $variant: failed after $((SECONDS - start)) s; whole log: $path.log"
        return "$status"
    fi
    mv -T "$path.new" "$path"
    note "$kind $variant: done in $((SECONDS - start)) s"
}

# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Steps and counts of ./check.

LOGS=${XDG_CACHE_HOME:-$HOME/.cache}/xenfork/check
mkdir -p "$LOGS"
TIMES=$LOGS/times
passed=0 failed=0 skipped=0 retried=0 asides=()

say() { printf '%5d s  %s\n' "$SECONDS" "$*"; }

# count PASSED FAILED SKIPPED
count() {
    passed=$((passed + $1)) failed=$((failed + $2)) skipped=$((skipped + $3))
}

# step NAME COMMAND…: one test that is a command; its output is shown when it fails
step() {
    local name=$1 log="$LOGS/${1//[ \/]/-}.log"
    shift
    if "$@" >"$log" 2>&1 </dev/null; then
        say "ok      $name"
        count 1 0 0
    else
        say "FAILED  $name: $log"
        tail -n 40 "$log"
        count 0 1 0
        return 1
    fi
}

# aside COMMAND…: in the background; what it says and counts is there after gather
aside() {
    local file=$LOGS/aside-${#asides[@]}
    rm -f "$file.counts"
    {
        passed=0 failed=0 skipped=0
        "$@"
        printf '%s %s %s\n' "$passed" "$failed" "$skipped" >"$file.counts"
    } >"$file" 2>&1 </dev/null &
    asides+=($!)
}

gather() {
    local i counts
    for i in "${!asides[@]}"; do
        wait "${asides[i]}" || true
        cat "$LOGS/aside-$i"
        # One that died on its way has failed.
        read -ra counts < <(cat "$LOGS/aside-$i.counts" 2>/dev/null || echo 0 1 0)
        count "${counts[@]}"
    done
    asides=()
}

# took SECONDS NAME: for the slowest ten
took() { printf '%s %s\n' "$1" "$2" >>"$TIMES"; }

# tap_counts FILE: "PASSED FAILED SKIPPED" of the TAP lines in a file
tap_counts() {
    awk '/^ok / { if (toupper($0) ~ /# SKIP/) s++; else p++ }
         /^not ok / { f++ }
         END { print p + 0, f + 0, s + 0 }' "$1"
}

finish() {
    [ "$retried" -eq 0 ] || say "$retried runs were repeated after a known fault of the emulator"
    say "the slowest: $(sort -rn "$TIMES" | head -n 10 | awk '{ n = $1; $1 = ""; printf "%s%s %d s", sep, $0, n; sep = ";" }')"
    say "done"
    printf '%d passed, %d failed, %d skipped\n' "$passed" "$failed" "$skipped"
    [ "$failed" -eq 0 ] || exit 1
    exit 0
}

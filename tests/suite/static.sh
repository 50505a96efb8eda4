# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Checks that read files, and run none.

shell_files() {
    git -C "$TOP" ls-files -z | while IFS= read -r -d '' file; do
        [ -f "$TOP/$file" ] || continue
        case $(head -c 64 "$TOP/$file" | head -n 1 | tr -d '\0') in
            '#!'*bash* | '#!/bin/sh'* | '# shellcheck shell='*) printf '%s\0' "$file" ;;
        esac
    done
}

check_shell() {
    # shellcheck source=/dev/null
    (. "$TOP/tests/testbed/lib/cache.sh"
        root=$(need buildroot trixie)
        shell_files | xargs -0 -n 16 -P "$(nproc)" "$TESTBED/lib/in-root" "$root" -r "$TOP:/tree" \
            env -C /tree shellcheck -x -S warning)
}

# Nothing of this machine, no registry's host name.
check_names() {
    ! git -C "$TOP" grep -nE '(^|[^.a-z])(deb|security|snapshot|ftp)\.debian\.org|registry\.npmjs' -- \
        ':!tests/suite/static.sh' ':!LICENSE'
}

# functions FILE…: that are defined there
functions() { grep -hoE '[a-z_][a-z0-9_]*\(\)' "$@" | tr -d '()' | sort -u; }

# helpers_of FILE: it, and the helpers of tests/live/lib that it takes in, with theirs
helpers_of() {
    local file files=("$1") i name
    for ((i = 0; i < ${#files[@]}; i++)); do
        while read -r name; do
            file=$TOP/tests/live/lib/$name
            [ ! -e "$file" ] || [[ " ${files[*]} " = *" $file "* ]] || files+=("$file")
        done < <(grep -oE '[a-z0-9-]+\.sh' "${files[i]}")
    done
    printf '%s\n' "${files[@]}"
}

# A function of another live script's is not there: whoever asks by it has no answer, and a check may pass for that.
check_helpers() {
    local script own missing status=0
    for script in "$TOP"/tests/live/*/*.t "$TOP"/tests/live/disk/*/*.t; do
        mapfile -t own < <(helpers_of "$script")
        missing=$(sed 's/#.*//' "$script" | grep -oE '(^|[^[:alnum:]_./$-])[a-z][a-z0-9]*_[a-z0-9_]+([^[:alnum:]_./=(-]|$)' |
            grep -oE '[a-z][a-z0-9_]+' | sort -u | comm -12 - <(functions "$TOP"/tests/live/lib/*.sh "$TOP"/tests/live/*/*.t) |
            comm -23 - <(functions "${own[@]}"))
        [ -z "$missing" ] || { printf '%s has no %s\n' "${script#"$TOP/"}" "${missing//$'\n'/, }"; status=1; }
    done
    return "$status"
}

run_static() {
    step shellcheck check_shell || true
    step 'names of machines' check_names || true
    step 'helpers of live tests' check_helpers || true
}

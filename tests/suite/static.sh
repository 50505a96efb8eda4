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

run_static() {
    step shellcheck check_shell || true
    step 'names of machines' check_names || true
}

#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# docs/design.md names files and functions that exist.

. "${srcdir:?}/tests/source/lib.sh"
cd "${srcdir:?}" || exit 1

echo 1..2

named() { grep -oE "$1" docs/design.md | tr -d '`(' | sort -u; }

# A path in it is from the top, or in libfork/.
missing_files() {
    # shellcheck disable=SC2016 # backquotes are Markdown's
    named '`[a-z][a-z/-]*/[A-Za-z0-9_.-]+\.(c|h|t|sh|md|pod|conf)`' | while read -r file; do
        [ -e "$file" ] || [ -e "libfork/$file" ] || echo "$file"
    done
    [ "$(named '[a-z]+/[a-z-]+\.c' | wc -l)" -gt 30 ] || echo 'hardly any files were found'
}

missing_functions() {
    named 'xenfork__?[a-z0-9_]+\(' | while read -r function; do
        grep -rqE "^[^ /].*\b$function\(" libfork --include='*.[ch]' || echo "$function()"
    done
    [ "$(named 'xenfork__?[a-z0-9_]+\(' | wc -l)" -gt 3 ] || echo 'hardly any functions were found'
}

result 'files' "$(missing_files)"
result 'functions' "$(missing_functions)"

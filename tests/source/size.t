#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# The product's files have 500 lines at most, but for the public header, and its functions 60.

. "${srcdir:?}/tests/source/lib.sh"
cd "${srcdir:?}" || exit 1

sources() {
    find libfork daemon keeper guest hotplug xl-plugin -name '*.[ch]' ! -path libfork/xenfork.h | sort
}

echo 1..2

result 'files have 500 lines at most' "$(sources | xargs awk '
    FNR == 501 { print FILENAME }')"
# A function begins after the last line outside of a body that is empty, a comment's or the preprocessor's.
result 'functions have 60 lines at most' "$(sources | xargs awk '
    FNR == 1 { inside = 0; last = 0 }
    /^{$/ { inside = 1 }
    /^}$/ && inside { inside = 0; if (FNR - last > 60) print FILENAME ":" last + 1; last = FNR }
    !inside && /^($|#|\/\*| \*)/ { last = FNR }')"

#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# The manuals are sound pod.

cd "${srcdir:?}" || exit 1

if ! command -v podchecker >/dev/null; then
    echo '1..0 # SKIP no podchecker (Debian package: perl)'
    exit 0
fi

set -- docs/*.pod
echo "1..$#"
count=0
for pod; do
    count=$((count + 1))
    if message=$(podchecker -warnings "$pod" 2>&1); then
        echo "ok $count - $pod"
    else
        echo "not ok $count - $pod"
        echo "$message" | sed 's/^/# /'
    fi
done

#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Make ./configure out of configure.ac.

set -e

cd "$(dirname "$0")"

missing=
need() {
    command -v "$1" >/dev/null 2>&1 || missing="$missing $2"
}
need autoreconf autoconf
need automake automake
need libtoolize libtool
need pkg-config pkg-config
if [ -n "$missing" ]; then
    echo "autogen.sh: please install these Debian packages:$missing" >&2
    exit 1
fi

mkdir -p build-aux
exec autoreconf --install --force

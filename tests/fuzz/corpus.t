#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Every input that a fuzzer has found worth keeping, once.

cd "${srcdir:?}/tests/fuzz" || exit 1
set -- fuzz-*.c
echo "1..$#"
count=0

run() {
    "${builddir:?}/tests/fuzz/$1" "corpus/$1"/* 2>&1
}

for fuzzer; do
    count=$((count + 1))
    fuzzer=${fuzzer%.c}
    if message=$(run "$fuzzer"); then
        echo "ok $count - $fuzzer"
    else
        echo "not ok $count - $fuzzer"
        echo "$message" | sed 's/^/# /'
    fi
done

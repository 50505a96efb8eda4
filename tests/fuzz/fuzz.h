/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FUZZ_H
#define FUZZ_H

#include <stddef.h>
#include <stdint.h>

/* Called by libFuzzer, and by replay.c where there is none. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

#endif

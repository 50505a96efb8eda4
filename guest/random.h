/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The kernel's random numbers after a fork. */
#ifndef GUEST_RANDOM_H
#define GUEST_RANDOM_H

#include <stdbool.h>
#include <stdint.h>

#include "store.h"

#define SEED_BYTES 64

/* Decode exactly 2 * SEED_BYTES hexadecimal digits. */
bool seed_decode(const char *hex, uint8_t seed_out[SEED_BYTES]);

/*
 * Mix in fork/entropy and the generation, and have the kernel use them at once.
 * ENOENT: there was no entropy; only the generation was mixed in.
 */
int random_reseed(struct store *store, const char *device,
                  const char *generation);

#endif

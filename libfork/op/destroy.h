/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The end of clones, for xenforkd too. */
#ifndef LIBFORK_OP_DESTROY_H
#define LIBFORK_OP_DESTROY_H

#include "base/internal.h"
#include "state/record.h"

/*
 * Remove the disks of a clone without a domain, then the record that names
 * them, under its lock.  Begun and broken off, it can be done again.
 */
int xenfork__clone_remove(xenfork_ctx *ctx,
                          const struct xenfork__record *record);
/*
 * Give back, without its lock, what the last clone of an image leaves to its
 * source.
 */
int xenfork__clones_removed(xenfork_ctx *ctx, const uint8_t image[16]);

#endif

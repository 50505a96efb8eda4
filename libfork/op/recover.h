/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Cleaning up after others: killed processes, clones that are gone. */
#ifndef LIBFORK_RECOVER_H
#define LIBFORK_RECOVER_H

#include "base/internal.h"
#include "state/record.h"

/* Recover everything, as xenfork_recover(); keeps the context's operation. */
int xenfork__recover(xenfork_ctx *ctx);
/* Recover before an operation; what cannot be undone of others is logged. */
int xenfork__recover_others(xenfork_ctx *ctx);
/* Remove an image with its domain, disks and record; its lock is held. */
int xenfork__image_remove(xenfork_ctx *ctx,
                          const struct xenfork__record *image);
/* Release what has served the disks of a clone that is gone. */
int xenfork__clone_release(xenfork_ctx *ctx,
                           const struct xenfork__record *clone);
/*
 * Sweep images that nothing needs and nobody wants to keep; @own: of this UUID
 * or this source, others are passed over with a warning; NULL: all.
 */
int xenfork__images_sweep(xenfork_ctx *ctx, const uint8_t *own);

#endif

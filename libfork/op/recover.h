/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Cleaning up after others: killed processes, clones that are gone. */
#ifndef LIBFORK_RECOVER_H
#define LIBFORK_RECOVER_H

#include "base/internal.h"
#include "state/record.h"

/* Everything, as xenfork_recover(); keeps the context's operation. */
int xenfork__recover(xenfork_ctx *ctx);
/* Before something of one's own: what of others cannot be undone is logged. */
int xenfork__recover_others(xenfork_ctx *ctx);
/* An image with its domain, disks and record; its lock is held. */
int xenfork__image_remove(xenfork_ctx *ctx, const struct xenfork__node *image);
/* Release what has served the disks of a clone that is gone. */
int xenfork__clone_release(xenfork_ctx *ctx, const struct xenfork__node *clone);
/*
 * Images that nothing needs and nobody wants kept; @own: of this UUID or this
 * source, those of others are passed over with a warning; NULL: all.
 */
int xenfork__images_sweep(xenfork_ctx *ctx, const uint8_t *own);

#endif

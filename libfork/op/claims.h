/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * When a source gives back what it has in reserve.  It keeps all its memory in
 * reserve while anybody shares its pages: an image of it, a clone of that, even
 * one whose image is destroyed, and what was forked from such a clone.  Then it
 * has nothing in reserve: a write to a page with one sharer only takes it back
 * (mem_sharing.c, 4.17).  We leave that to its writes: taking back every page
 * at once stops it for longer than the fork did.  A source that is a clone has
 * again what it had in reserve as a clone.
 */
#ifndef LIBFORK_OP_CLAIMS_H
#define LIBFORK_OP_CLAIMS_H

#include "base/internal.h"
#include "state/record.h"

/*
 * Make a source's claim what it has to be; images: but @except (NULL: none).
 * The caller holds its lock, or undoes what was done to it.
 */
int xenfork__claim_adjust(xenfork_ctx *ctx, const uint8_t source[16],
                          const uint8_t *except);
/*
 * Have each source of an image or a clone, which shares no more, give back what
 * it has in reserve, if that was the last.  BUSY (not logged): an operation is
 * on one of them.  One that is being forked is left alone: the fork sees to it.
 */
int xenfork__claims_release(xenfork_ctx *ctx,
                            const struct xenfork__record *gone);
/* Do it for clones that share no more, and whose image is gone. */
int xenfork__claims_sweep(xenfork_ctx *ctx);
/* Reduce a hydrated clone's reservation to its own; again, if need be. */
int xenfork__uncover(xenfork_ctx *ctx, const struct xenfork__record *clone);

#endif

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Orphans: clones whose image is destroyed.  They share pages with what they
 * were forked from all the same, until they are detached or end.
 */
#ifndef LIBFORK_OP_ORPHANS_H
#define LIBFORK_OP_ORPHANS_H

#include "base/internal.h"
#include "state/record.h"

/* Tell whether a clone's domain is there, and shares pages with others. */
int xenfork__clone_shares(xenfork_ctx *ctx, const struct xenfork__record *clone,
                          bool *does_out);
bool xenfork__is_orphan(const struct xenfork__record *clone,
                        const struct xenfork__records *images);
/* See one source of an orphan; an error ends the walk. */
typedef int xenfork__orphan_fn(xenfork_ctx *ctx,
                               const struct xenfork__record *orphan,
                               const uint8_t source[16], void *opaque);
/* Walk the sources of all orphans that share pages; one may come again. */
int xenfork__orphans_each(xenfork_ctx *ctx,
                          const struct xenfork__records *images,
                          const struct xenfork__records *clones,
                          xenfork__orphan_fn *each, void *opaque);

#endif

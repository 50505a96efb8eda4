/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Undoing an operation by its journal. */
#ifndef LIBFORK_OP_ROLLBACK_H
#define LIBFORK_OP_ROLLBACK_H

#include "state/journal-private.h"

/* Undo an operation, source first.  Frees @journal.  RESIDUE: it stays */
int xenfork__journal_rollback(xenfork_ctx *ctx,
                              struct xenfork__journal *journal);

/* Steps for rollback.c, in rollback-source.c and rollback-reset.c. */

#define XENFORK__UNDO_SUSPENDED "source.suspended"
#define XENFORK__UNDO_STOPPED   "source.stopped"

/* Undo everything about the source, which runs on as before. */
int xenfork__undo_source(xenfork_ctx *ctx, struct xenfork__journal *journal);
/* Let its NICs hear again. */
int xenfork__undo_muting(xenfork_ctx *ctx, struct xenfork__journal *journal);
/* End the log of what it writes, which slows it down. */
int xenfork__undo_logging(xenfork_ctx *ctx, struct xenfork__journal *journal);
/* Take back what its page tables did not need. */
int xenfork__undo_pool(xenfork_ctx *ctx, struct xenfork__journal *journal);
/* Undo that it was told that it is a source. */
int xenfork__undo_published(xenfork_ctx *ctx, struct xenfork__journal *journal);

/*
 * Tell whether the clone's record is that of the new domain.  Then the reset is
 * completed, else undone.
 */
int xenfork__reset_is_done(xenfork_ctx *ctx,
                           const struct xenfork__journal *journal,
                           bool *is_out);
/*
 * Complete it: let the new domain run, and remove the old disks.  It may be
 * called twice.
 */
int xenfork__reset_complete(xenfork_ctx *ctx,
                            const struct xenfork__journal *journal);
/*
 * Complete it, or undo it but for the disks: the clone is as before, or has no
 * domain any more.
 */
int xenfork__undo_reset(xenfork_ctx *ctx, struct xenfork__journal *journal);

#endif

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Undo what a fork did to its source, for rollback.c: rollback-source.c. */
#ifndef LIBFORK_ROLLBACK_H
#define LIBFORK_ROLLBACK_H

#include "state/journal-private.h"

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

#endif

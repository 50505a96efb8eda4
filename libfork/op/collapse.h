/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Make the chains of a source's disks shorter again, in the background. */
#ifndef LIBFORK_COLLAPSE_H
#define LIBFORK_COLLAPSE_H

#include "base/internal.h"

/*
 * For one process at a time: what it runs has its guard_fd, a lock, as well.
 * A step; see collapse() in disk.h.  again_out: it is to be called once more,
 * after a while.  A source that is gone, or that somebody else forks: success
 */
int xenfork__collapse(xenfork_ctx *ctx, const uint8_t source[16],
                      bool *again_out);

/* Shorten the chains of every source that has bases without an image. */
int xenfork__collapse_all(xenfork_ctx *ctx, bool *again_out);
/*
 * Tell whether any base can be merged: only its source, or another base, is
 * backed by it.
 */
int xenfork__collapse_is_due(xenfork_ctx *ctx, bool *is_out);
/*
 * By whoever takes away what has lain on one: if it is due, a process does it
 * from now on.  None is started where one holds the lock: that one looks
 * again when it has dropped it.  If it cannot be begun, the next fork's keeper
 * does it.
 */
#define XENFORK__COLLAPSE_LOCK "collapse"
void xenfork__collapse_begin(xenfork_ctx *ctx);

#endif

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Make the chains of a source's disks shorter again, in the background. */
#ifndef LIBFORK_OP_COLLAPSE_H
#define LIBFORK_OP_COLLAPSE_H

#include "base/internal.h"

/*
 * Make a step for one source; see collapse() in disk.h.  Only one process does
 * so at a time: programs that it runs have its guard_fd, a lock, as well.
 * again_out: call again after a while.  A source that is gone, or is being
 * forked: success
 */
int xenfork__collapse(xenfork_ctx *ctx, const uint8_t source[16],
                      bool *again_out);

/* Shorten the chains of every source that has bases without an image. */
int xenfork__collapse_all(xenfork_ctx *ctx, bool *again_out);
/*
 * Tell whether any chain can be shortened: a base without an image backs only
 * its source, or only another base.
 */
int xenfork__collapse_is_due(xenfork_ctx *ctx, bool *is_out);
/*
 * Call after removing an overlay: shorten chains in the background if that has
 * become possible.  No process is started while another one holds the lock:
 * that one looks again after it has released the lock.  If the start fails, the
 * next fork's keeper does the work.
 */
#define XENFORK__COLLAPSE_LOCK "collapse"
void xenfork__collapse_begin(xenfork_ctx *ctx);

#endif

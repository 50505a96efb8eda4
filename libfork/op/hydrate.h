/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LIBFORK_OP_HYDRATE_H
#define LIBFORK_OP_HYDRATE_H

#include "base/internal.h"
#include "state/lock.h"
#include "state/record.h"

/*
 * Put in all that the image has and the clone has not; record the progress, in
 * @clone, too.  HOSTMEM: Xen has no memory for a page; NOTRUNNING: the image is
 * lost.  What the image has is remembered for its next clone: 34 KiB for each
 * GiB of it.
 */
int xenfork__hydrate(xenfork_ctx *ctx, struct xenfork__record *clone,
                     uint32_t pages_per_second);

/* Forget what was remembered. */
void xenfork__hydrate_forget(xenfork_ctx *ctx);

/*
 * Put all that is missing into the clones of an image that is to go.  INUSE:
 * one was made with XENFORK_FORK_NO_HYDRATE.
 */
int xenfork__hydrate_users(xenfork_ctx *ctx,
                           const struct xenfork__record *image);
/* Refuse what would end a clone's need of its image: INUSE if it is for good.
 */
int xenfork__hydrate_check(xenfork_ctx *ctx,
                           const struct xenfork__record *clone);

/*
 * Take the lock of the process that hydrates the clones of a fork: first its
 * keeper, then xenforkd, if the keeper was killed.  BUSY (not logged)
 */
int xenfork__hydrate_lock(xenfork_ctx *ctx, const char *journal,
                          bool is_waiting, struct xenfork__lock **lock_out);

#endif

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Cleaning up after others: killed processes, clones that are gone. */
#ifndef LIBFORK_OP_RECOVER_H
#define LIBFORK_OP_RECOVER_H

#include "base/internal.h"
#include "state/lock.h"
#include "state/record.h"

/* Recover everything, as xenfork_recover(); keeps the context's operation. */
int xenfork__recover(xenfork_ctx *ctx);
/*
 * Recover before an operation, in a batch before the first; what cannot be
 * undone of others is logged.
 */
int xenfork__recover_others(xenfork_ctx *ctx);
/* Remove an image with its domain, disks and record; its lock is held. */
int xenfork__image_remove(xenfork_ctx *ctx,
                          const struct xenfork__record *image);
/* Release what has served the disks of a clone that is gone. */
int xenfork__clone_release(xenfork_ctx *ctx,
                           const struct xenfork__record *clone);
/*
 * Sweep images that nothing needs and nobody wants to keep; @own: of this UUID
 * or this source, others are passed over with a warning, and a batch puts it
 * off to its end; NULL: all.
 */
int xenfork__images_sweep(xenfork_ctx *ctx, const uint8_t *own);

/* Roll back all whose owner is gone, each that can be.  RESIDUE */
int xenfork__journals_recover(xenfork_ctx *ctx);
/*
 * Roll back one journal; already gone: success.  A caller that knows that the
 * owner is gone waits for the lock: the kernel drops a killed process' pipes
 * before its locks.
 */
int xenfork__journal_recover(xenfork_ctx *ctx, const char *id, bool is_waiting);
/*
 * Roll back the journals about a source, image or clone, under its lock, which
 * their owner would hold: they have no owner, and are rolled back now, or are
 * being rolled back by another process; wait.  A journal that cannot be rolled
 * back holds up this one, and no other: RESIDUE.  The owner of a fork holds no
 * lock of the image and the clones that it makes.  BUSY, not logged: it lives
 */
int xenfork__journals_recover_about(xenfork_ctx *ctx, const uint8_t uuid[16]);
/*
 * List journals without an owner, as records; the reason is in the parent's
 * name.
 */
int xenfork__journals_load(xenfork_ctx *ctx,
                           struct xenfork__records *records_out);

/*
 * Lock a source, an image or a clone, and undo what a killed process has left
 * of it.  @name: for the message.  BUSY: another operation is on it, or the
 * fork that makes it is under way
 */
int xenfork__lock_domain(xenfork_ctx *ctx, const uint8_t uuid[16],
                         const char *name, struct xenfork__lock **lock_out);
/* Fail with BUSY: another operation is on it. */
int xenfork__busy(xenfork_ctx *ctx, const char *name);

#endif

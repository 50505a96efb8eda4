/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Locks: files below STATE/locks, flock(2)ed, gone with their holder however
 * it ends.  Named by the UUID of what they protect.
 */
#ifndef LIBFORK_STATE_LOCK_H
#define LIBFORK_STATE_LOCK_H

#include "base/internal.h"

/*
 * The registry: names, MACs and UUIDs are chosen under it, claims handed over,
 * records of clones changed and removed.  Never held for long.
 */
#define XENFORK__LOCK_REGISTRY "registry"

struct xenfork__lock;

/*
 * Take a lock.  BUSY (not logged): another process holds it and !is_waiting.
 * The registry is waited for a minute, then BUSY names its holder.
 */
int xenfork__lock_take(xenfork_ctx *ctx, const char *name, bool is_waiting,
                       struct xenfork__lock **lock_out);
/*
 * Take a lock within 20 seconds, else BUSY: the keeper of an earlier fork holds
 * a domain's now and then, while its disks become shorter.  CANCELLED
 */
int xenfork__lock_take_soon(xenfork_ctx *ctx, const char *name,
                            struct xenfork__lock **lock_out);
/* Return the descriptor, for a process that is to hold the lock, too. */
int xenfork__lock_fd(const struct xenfork__lock *lock);
/* Release a lock; NULL is accepted. */
void xenfork__lock_drop(struct xenfork__lock *lock);
/* Remove lock files that nobody holds. */
int xenfork__locks_sweep(xenfork_ctx *ctx);

static inline void xenfork__lock_cleanup(struct xenfork__lock **lock)
{
    int e = errno;

    xenfork__lock_drop(*lock);
    errno = e;
}
#define cleanup_lock __attribute__((cleanup(xenfork__lock_cleanup)))

#endif

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Operations on a source that fork and freeze share: lock, suspend, end. */
#ifndef LIBFORK_OP_SOURCE_H
#define LIBFORK_OP_SOURCE_H

#include "base/internal.h"
#include "state/journal.h"
#include "state/lock.h"
#include "xen/xen.h"

/*
 * Lock a source: nobody else forks, freezes or thaws the domain meanwhile.
 * Undoes first what a killed process has left of it; @info is its state then.
 * BUSY
 */
int xenfork__source_lock(xenfork_ctx *ctx, struct xenfork__dominfo *info,
                         struct xenfork__lock **lock_out);
/*
 * Suspend a source, or stop it where it is; @how: XENFORK_QUIESCE_*.  If it was
 * paused, it is paused again later.  On failure it runs as before, or does so
 * when the journal is undone.  asked_ns_out: when it was asked, or stopped
 */
int xenfork__source_suspend(xenfork_ctx *ctx, struct xenfork__journal *journal,
                            const struct xenfork__dominfo *info, int how,
                            uint32_t timeout_ms, uint64_t *asked_ns_out);
/* Commit: remove the journal, and tell the keeper.  Frees @journal on success
 */
int xenfork__source_commit(xenfork_ctx *ctx, struct xenfork__journal *journal,
                           int keeper_fd);
/* Roll back what made @rc fail, which stays the error.  Frees @journal */
int xenfork__source_undo(xenfork_ctx *ctx, struct xenfork__journal *journal,
                         int rc);

#endif

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Detaching a clone: memory first, then disk by disk, each by its driver. */
#ifndef LIBFORK_OP_DETACH_H
#define LIBFORK_OP_DETACH_H

#include "base/internal.h"
#include "disk/detach.h"
#include "disk/disk.h"
#include "state/journal.h"
#include "state/lock.h"
#include "state/record.h"

struct xenfork__detaching {
    struct xenfork__record *clone;
    char *stop_path;          /* a file there: stop */
    const char *dir, *format; /* where disks are to go; NULL: in place */
    uint64_t kib_per_second;
    uint64_t start_ns, moved_bytes; /* for the pace */
    uint32_t part, parts;           /* memory, and each disk */
};

/* Record that @percent of it is done. */
int xenfork__detach_save(xenfork_ctx *ctx, struct xenfork__detaching *job,
                         uint32_t percent);
/*
 * Report progress: done of total bytes of this part are done, moved of them
 * just now; total 0: not known yet.  Keeps the pace, and the record.
 * CANCELLED: stop, and return that
 */
int xenfork__detach_step(xenfork_ctx *ctx, struct xenfork__detaching *job,
                         uint64_t done, uint64_t total, uint64_t moved);
/* Allow a stop while there is no progress.  CANCELLED, likewise */
int xenfork__detach_wait(xenfork_ctx *ctx,
                         const struct xenfork__detaching *job);
/* Load the clone's record as it is now.  NOTFOUND: it has been destroyed */
int xenfork__detach_load(xenfork_ctx *ctx, const struct xenfork__detaching *job,
                         struct xenfork__lock **lock_out,
                         struct xenfork__record **now_out);
/*
 * Check that the clone is not being saved or migrated with the old paths of its
 * disks; domid NONE: and that it has not started, and nobody writes to them.
 * INUSE
 */
int xenfork__detach_stays(xenfork_ctx *ctx,
                          const struct xenfork__detaching *job, uint32_t domid);
/* Detach the parts, a disk with the domain that the clone has by then. */
int xenfork__detach_memory(xenfork_ctx *ctx, struct xenfork__detaching *job,
                           uint32_t domid);
int xenfork__detach_disk(xenfork_ctx *ctx, struct xenfork__detaching *job,
                         uint32_t disk);
/* See struct xenfork__detach_ops; opaque is the job. */
int xenfork__detach_journal(xenfork_ctx *ctx,
                            const struct xenfork__detach_request *request,
                            const char *to, bool is_pausing,
                            xenfork__detach_act *act, const void *arg);
/*
 * Write into libxl's record and ours that a disk of the clone that is
 * @snapshot's domain is at @to, and no longer at @from.
 */
int xenfork__detach_switched(xenfork_ctx *ctx,
                             const struct xenfork__snapshot *snapshot);
/* Return the limit of speed in bytes a second; 0: none. */
uint64_t xenfork__detach_speed(const struct xenfork__detaching *job);

#endif

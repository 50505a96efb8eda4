/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Detaching a clone: memory first, then disk by disk, each by its driver.
 * Whoever works calls xenfork__detach_step() now and then.
 */
#ifndef LIBFORK_DETACH_H
#define LIBFORK_DETACH_H

#include "internal.h"
#include "node.h"

struct xenfork__detaching {
    struct xenfork__node *clone;
    char *stop_path; /* a file there: stop */
    uint64_t kib_per_second;
    uint64_t start_ns, moved_bytes; /* for the pace */
    uint32_t part, parts;           /* memory, and each disk */
};

/*
 * done of total bytes of this part are done, moved of them just now.  Keeps
 * the pace, and the record.  CANCELLED: stop, and return that
 */
int xenfork__detach_step(xenfork_ctx *ctx, struct xenfork__detaching *job,
                         uint64_t done, uint64_t total, uint64_t moved);
/* What the pace allows in bytes a second; 0: all. */
uint64_t xenfork__detach_speed(const struct xenfork__detaching *job);

#endif

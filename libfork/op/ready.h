/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Clones that have not acknowledged yet: watched, and when one does, what
 * follows from it.  A guest can bring about nothing but what its own clone
 * waits for, once, and keeps nobody busy: when its writes have been looked at 64
 * times, it is looked at once a second.
 */
#ifndef LIBFORK_OP_READY_H
#define LIBFORK_OP_READY_H

#include "base/ids.h"
#include "base/internal.h"
#include "state/record.h"
#include "xen/xen.h"

enum xenfork__ready_state {
    XENFORK__READY_WAITS,
    XENFORK__READY_DONE, /* acknowledged */
    XENFORK__READY_LOST  /* gone, or shut down */
};

struct xenfork__ready_clone {
    uint8_t uuid[16];
    uint32_t domid;
    char generation[XENFORK__UUID_CHARS];
    uint32_t events;
    bool is_noisy; /* nobody listens to it any more */
    bool is_reseeded;
    /* "STEP: REASON" of the guest's, while it waits: it may be mended yet */
    char fault[XENFORK__FAULT_CHARS];
    enum xenfork__ready_state state;
};

struct xenfork__ready {
    size_t count;
    size_t waiting;
    struct xenfork__ready_clone *clones;
    bool is_released; /* a domain may be gone; the caller clears it */
    bool is_noisy;    /* one of them is, and is looked at at look_ns */
    uint64_t look_ns;
};

/* Watch a clone, unless it has acknowledged already (then DONE). */
int xenfork__ready_add(xenfork_ctx *ctx, struct xenfork__ready *ready,
                       const struct xenfork__record *clone);
/* Add every clone of a fork. */
int xenfork__ready_add_all(xenfork_ctx *ctx, struct xenfork__ready *ready,
                           const char *journal);
/*
 * Wait as xenfork__xen_wait_event() does, and see to it.  clone_out: who has
 * acknowledged; NULL: nobody.
 */
int xenfork__ready_turn(xenfork_ctx *ctx, struct xenfork__ready *ready,
                        int wake_fd, int timeout_ms,
                        const struct xenfork__ready_clone **clone_out);
/*
 * Tell, without a watch, whether the clone with this domid has acknowledged and
 * is not connected yet.  False for every other domain.  BUSY: its fork is still
 * under way.
 */
int xenfork__ready_is_due(xenfork_ctx *ctx, uint32_t domid, bool *is_out);
/* See to it; it may have been done meanwhile. */
int xenfork__ready_accept(xenfork_ctx *ctx, uint32_t domid);
/* Look for those that are gone. */
int xenfork__ready_sweep(xenfork_ctx *ctx, struct xenfork__ready *ready);
void xenfork__ready_free(xenfork_ctx *ctx, struct xenfork__ready *ready);

#endif

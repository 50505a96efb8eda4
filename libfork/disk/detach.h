/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A request to make a clone's disk independent of its base.  It carries what
 * the driver may ask of the operation that makes it: a driver calls nothing
 * above itself.
 */
#ifndef LIBFORK_DISK_DETACH_H
#define LIBFORK_DISK_DETACH_H

#include "base/internal.h"

struct xenfork__detach_ops;

struct xenfork__detach_request {
    uint32_t domid;   /* XENFORK_DOMID_NONE: it does not run */
    const char *vdev; /* "xvda" */
    const char *path;
    const char *to;            /* a new file that it is to be; NULL: in place */
    const char *format;        /* of that: "raw", "qcow2" */
    const char *driver;        /* the driver's name, for the journal */
    uint64_t bytes_per_second; /* 0: as fast as it goes */
    const struct xenfork__detach_ops *ops;
    void *opaque; /* the operation's */
};

/* Act on a disk that is in use, while a journal says so. */
typedef int xenfork__detach_act(xenfork_ctx *ctx,
                                const struct xenfork__detach_request *request,
                                const void *arg);

struct xenfork__detach_ops {
    /*
     * Report progress: done of total bytes are done, moved of them just now;
     * total 0: not known yet.  Keeps the pace and the record.  CANCELLED: stop,
     * and return that
     */
    int (*step)(xenfork_ctx *ctx, const struct xenfork__detach_request *request,
                uint64_t done, uint64_t total, uint64_t moved);
    /* Allow a stop while there is no progress.  CANCELLED, likewise */
    int (*wait)(xenfork_ctx *ctx,
                const struct xenfork__detach_request *request);
    /*
     * Check that the clone stays here.  INUSE: it is being saved or migrated,
     * with the old path
     */
    int (*stays)(xenfork_ctx *ctx,
                 const struct xenfork__detach_request *request);
    /*
     * Run @act, which makes @to, under a journal: the process that finds the
     * journal of a killed one calls the driver's detach_recover(), and lets the
     * domain run on.  is_pausing: @act pauses the domain.  A result of @act
     * below 0 is undone in that way, and returned
     */
    int (*journal)(xenfork_ctx *ctx,
                   const struct xenfork__detach_request *request,
                   const char *to, bool is_pausing, xenfork__detach_act *act,
                   const void *arg);
    /* Write into all records that the domain uses @to from now on. */
    int (*switched)(xenfork_ctx *ctx,
                    const struct xenfork__detach_request *request);
};

static inline int xenfork__request_step(
    xenfork_ctx *ctx, const struct xenfork__detach_request *request,
    uint64_t done, uint64_t total, uint64_t moved)
{
    return request->ops->step(ctx, request, done, total, moved);
}

/* Hear of a copy by qemu-img; for xenfork__sys_copy(), opaque: the request */
int xenfork__request_heard(xenfork_ctx *ctx, void *opaque, uint32_t per_mille);
/* Copy a disk that no domain uses to where it is to be, by qemu-img. */
int xenfork__request_copy(xenfork_ctx *ctx,
                          const struct xenfork__detach_request *request,
                          const char *path, const char *format);

#endif

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A request to shorten the chain of base files under a source's disk.  It
 * carries what the driver may ask: what is backed by what is not known to it.
 */
#ifndef LIBFORK_DISK_COLLAPSE_H
#define LIBFORK_DISK_COLLAPSE_H

#include "disk/base.h"

struct xenfork__collapse_ops;

struct xenfork__collapse_request {
    uint32_t domid;   /* of the source */
    const char *vdev; /* "xvda" */
    const char *from; /* its path */
    const struct xenfork__collapse_ops *ops;
};

/* Have the disk's server begin to copy, while the guest stands still. */
typedef int xenfork__collapse_act(xenfork_ctx *ctx, const void *arg);

struct xenfork__collapse_ops {
    /* See disk/base.h. */
    int (*is_free)(xenfork_ctx *ctx, const char *path, const char *leaf,
                   bool *is_out);
    int (*pair)(xenfork_ctx *ctx, const char *leaf, char **upper_out,
                char **lower_out);
    int (*above)(xenfork_ctx *ctx, const char *path,
                 struct xenfork__above *out);
    int (*sweep)(xenfork_ctx *ctx);
    /* Run @act, which pauses the domain, under a journal: it runs on. */
    int (*journal)(xenfork_ctx *ctx,
                   const struct xenfork__collapse_request *request,
                   xenfork__collapse_act *act, const void *arg);
};

#endif

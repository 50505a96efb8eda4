/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A connection to xenstored on which many requests are under way at once:
 * libxenstore waits for the answer to each.  It is opened when it is first
 * needed, and again after it has failed.
 *
 * Requests are put one after the other and go out when somebody waits.
 * Functions that wait return 0 or an errno, of the first request that failed.
 */
#ifndef LIBFORK_XEN_PIPE_H
#define LIBFORK_XEN_PIPE_H

#include "xen/handles.h"

#define XENFORK__PIPE_MAX 4096U /* XENSTORE_PAYLOAD_MAX, io/xs_wire.h */

/*
 * Put a request; paths are formatted.  Nothing is said of failures before
 * somebody waits.
 */
void xenfork__pipe_write(xenfork_ctx *ctx, uint32_t transaction,
                         const char *value, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
void xenfork__pipe_mkdir(xenfork_ctx *ctx, uint32_t transaction,
                         const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* Remove a node, whose parent exists.  Absent already: success. */
void xenfork__pipe_rm(xenfork_ctx *ctx, uint32_t transaction, const char *fmt,
                      ...) __attribute__((format(printf, 3, 4)));
/*
 * Give a node to @owner, and have @reader read it; XENFORK_DOMID_NONE: nobody
 * else does.
 */
void xenfork__pipe_permit(xenfork_ctx *ctx, uint32_t transaction,
                          uint32_t owner, uint32_t reader, const char *fmt, ...)
    __attribute__((format(printf, 5, 6)));
/* Introduce the domain to xenstore, like xs_introduce_domain(). */
void xenfork__pipe_introduce(xenfork_ctx *ctx, uint32_t domid, uint64_t gfn,
                             uint32_t port);

/* Send what has been put, and wait for all answers. */
int xenfork__pipe_wait(xenfork_ctx *ctx);

/* Put the requests of one transaction; it may be called again. */
typedef void xenfork__pipe_fill(xenfork_ctx *ctx, uint32_t transaction,
                                const void *opaque);
/*
 * Do what fill() puts in one transaction, which is done again while others get
 * between, XENFORK__XS_TRIES times at most.  All of it is done, or nothing.
 */
int xenfork__pipe_transact(xenfork_ctx *ctx, xenfork__pipe_fill *fill,
                           const void *opaque);

/* Tell whether xenstored can be reached so. */
bool xenfork__pipe_is_there(xenfork_ctx *ctx);

struct xenfork__pipe *xenfork__pipe_new(void);
void xenfork__pipe_free(struct xenfork__pipe *pipe);

#endif

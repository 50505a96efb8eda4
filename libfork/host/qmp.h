/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * QMP of a domain's QEMU, by the second socket that libxl gives it (it uses
 * the first itself): one command, one answer; events are passed over.  The
 * connection is kept, because the next domain asked is mostly the same.
 */
#ifndef LIBFORK_HOST_QMP_H
#define LIBFORK_HOST_QMP_H

#include "base/internal.h"
#include "host/host.h"

#include <yajl/yajl_tree.h>

/*
 * Run a command of QMP.  @arguments: JSON, or NULL.  reply_out: all of the
 * answer, with "return" in it; caller frees with yajl_tree_free(); NULL: not
 * wanted.  DISK: QEMU has refused, or does not answer.  NOTFOUND, not logged:
 * it is gone
 */
int xenfork__qmp(xenfork_ctx *ctx, uint32_t domid, const char *command,
                 const char *arguments, yajl_val *reply_out);
/*
 * Ask without waiting, again and again with one command: reply_out is
 * untouched until the answer has come.  NOTFOUND, not logged: nobody listens
 */
int xenfork__qmp_poll(xenfork_ctx *ctx, uint32_t domid, const char *command,
                      yajl_val *reply_out);
/*
 * Ask without waiting what QEMU does, "running" (query-status).  status_out:
 * caller frees; NULL: it has not said, or does not listen
 */
int xenfork__qmp_status(xenfork_ctx *ctx, uint32_t domid, char **status_out);
/*
 * Run a command with arguments as of printf(3), without returning the answer.
 */
int xenfork__qmp_run(xenfork_ctx *ctx, uint32_t domid, const char *command,
                     const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
/* Run a command that QEMU may refuse: a refusal is not logged. */
int xenfork__qmp_try(xenfork_ctx *ctx, uint32_t domid, const char *command,
                     const char *arguments);
/* Add a node over a file; @rest: more of its options, as JSON. */
int xenfork__qmp_add(xenfork_ctx *ctx, uint32_t domid, const char *node,
                     const struct xenfork__image_file *image, bool is_direct,
                     const char *rest);
/* Close a connection; NULL: none. */
void xenfork__qmp_hang_up(struct xenfork__qmp *qmp);
/* Return a text as JSON, quoted; caller frees.  NULL: out of memory */
char *xenfork__qmp_quote(const char *text);

static inline void xenfork__free_reply(yajl_val *reply)
{
    int e = errno;

    yajl_tree_free(*reply);
    errno = e;
}
#define cleanup_reply __attribute__((cleanup(xenfork__free_reply)))

#endif

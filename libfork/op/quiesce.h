/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How a guest is brought to rest. */
#ifndef LIBFORK_OP_QUIESCE_H
#define LIBFORK_OP_QUIESCE_H

#include "base/internal.h"

/*
 * Choose between asking a guest to suspend, and stopping it where it is, which
 * is right for a guest that uses nothing of Xen's; @how: XENFORK_QUIESCE_*.
 * NOSUSPEND, not logged: neither would do
 */
int xenfork__quiesce_choose(xenfork_ctx *ctx, uint32_t domid, int how,
                            bool *is_stop_out);
/*
 * Check a stopped guest once more: before it stood still it may have begun to
 * use something.  BUSY
 */
int xenfork__quiesce_verify(xenfork_ctx *ctx, uint32_t domid);

#endif

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LIBFORK_HYDRATE_H
#define LIBFORK_HYDRATE_H

#include "internal.h"
#include "node.h"

/* Put in what is missing; record the progress.  The node is changed. */
int xenfork__hydrate(xenfork_ctx *ctx, struct xenfork__node *clone,
                     uint32_t pages_per_second);

#endif

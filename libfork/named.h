/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The image or the clone that a user names. */
#ifndef LIBFORK_NAMED_H
#define LIBFORK_NAMED_H

#include "node.h"

/* By name, UUID or domid.  NOTFOUND, NOTOURS: with remedy */
int xenfork__named(xenfork_ctx *ctx, int kind, const char *name,
                   struct xenfork__node **node_out);

#endif

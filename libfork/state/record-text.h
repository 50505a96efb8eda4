/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A node as a record, and back. */
#ifndef LIBFORK_NODE_RECORD_H
#define LIBFORK_NODE_RECORD_H

#include "state/keyfile.h"
#include "state/record.h"

int xenfork__node_to_record(xenfork_ctx *ctx, const struct xenfork__node *node,
                            struct xenfork__record *record);
/* Parse a record.  False: it is malformed. */
bool xenfork__node_from_record(xenfork_ctx *ctx, struct xenfork__node *node,
                               const struct xenfork__record *record);

#endif

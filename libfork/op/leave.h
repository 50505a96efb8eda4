/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Clones that were migrated or saved, as far as it is known here. */
#ifndef LIBFORK_OP_LEAVE_H
#define LIBFORK_OP_LEAVE_H

#include "state/record.h"

/*
 * Tell whether the clone has left this host.  domid NONE: it has no domain here
 */
bool xenfork__has_left(const struct xenfork__record *clone, uint32_t domid);
/* Tell whether the process that takes the clone away still lives. */
bool xenfork__is_leaving(const xenfork_ctx *ctx,
                         const struct xenfork__record *clone);
/*
 * Tell whether the clone may be in use elsewhere: it has left, is leaving, or
 * its migration has failed so late that the other host may run it, though its
 * domain is here.  domid NONE: it has none here
 */
int xenfork__may_be_away(xenfork_ctx *ctx, const struct xenfork__record *clone,
                         uint32_t domid, bool *may_be_out);
/*
 * Check that nobody else uses a clone's disks.  INUSE, with @remedy, which
 * names the clone: it may be in use elsewhere, or has no domain here and a disk
 * is open for writing.  Where @remedy returns 0, the next reason is looked for.
 */
int xenfork__leave_check(xenfork_ctx *ctx, const struct xenfork__record *clone,
                         int (*remedy)(xenfork_ctx *ctx, const char *name));
/*
 * Check that nobody has a disk of a clone without a domain open for writing.
 * INUSE, with @remedy
 */
int xenfork__leave_check_open(xenfork_ctx *ctx,
                              const struct xenfork__record *clone,
                              int (*remedy)(xenfork_ctx *ctx,
                                            const char *name));

#endif

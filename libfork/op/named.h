/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The image or the clone that a user names, by the name that it has today. */
#ifndef LIBFORK_OP_NAMED_H
#define LIBFORK_OP_NAMED_H

#include "state/record.h"

/*
 * Find a record by name, UUID or domid.  NOTFOUND, NOTOURS, NAMETAKEN: with
 * remedy.  In a batch all clones are read once.
 */
int xenfork__named(xenfork_ctx *ctx, int kind, const char *name,
                   struct xenfork__record **record_out);
/* Forget what was read, at the end of a batch. */
void xenfork__named_forget(xenfork_ctx *ctx);
/*
 * Give a record the name that its domain has today.  *domid_out is that
 * domain; NONE: it has none here, and goes by its last known name
 */
int xenfork__name_refresh(xenfork_ctx *ctx, struct xenfork__record *record,
                          uint32_t *domid_out);
/*
 * Check that the name of a domain is not also that of a clone or an image which
 * is another domain.  NOTOURS, with remedy: it is
 */
int xenfork__name_check(xenfork_ctx *ctx, const char *name, uint32_t domid);

#endif

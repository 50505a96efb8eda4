/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tell guests about themselves, in their part of xenstore. */
#ifndef LIBFORK_OP_GUEST_H
#define LIBFORK_OP_GUEST_H

#include "base/ids.h"
#include "base/internal.h"
#include "base/spec.h"
#include "state/journal.h"
#include "state/record.h"

int xenfork__generation_new(xenfork_ctx *ctx, char out[XENFORK__UUID_CHARS]);
/*
 * Tell a domain that it is a source; journaled.  A domain that has a role is
 * left alone.
 */
int xenfork__guest_source(xenfork_ctx *ctx, struct xenfork__journal *journal,
                          uint32_t domid);
/* Tell a clone, which is paused and has never run, with fresh entropy. */
int xenfork__guest_clone(xenfork_ctx *ctx, uint32_t domid,
                         const char *generation,
                         const struct xenfork__record *image, uint32_t index,
                         const struct xenfork__clone_spec *spec);
/*
 * Keep it, with the parameters, next to the clone's record, so that the clone
 * can be told again.
 */
int xenfork__guest_keep(xenfork_ctx *ctx, const uint8_t uuid[16],
                        const struct xenfork__record *image, uint32_t index,
                        const struct xenfork__clone_spec *spec);
/*
 * Tell a clone's new domain, which is paused, what the clone was told.
 * NOTFOUND, not logged
 */
int xenfork__guest_again(xenfork_ctx *ctx, uint32_t domid,
                         const struct xenfork__record *clone);

#endif

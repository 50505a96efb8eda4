/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Frozen sources: domains that we brought to suspension and left there.  Each
 * has a record, STATE/frozen/UUID; its image, once there is one, names the
 * transaction that froze it.  The record of a domain that runs again, or is
 * gone, means nothing.
 */
#ifndef LIBFORK_OP_FROZEN_H
#define LIBFORK_OP_FROZEN_H

#include "state/record.h"
#include "xen/xen.h"

/*
 * Return the record of a source that is frozen.  NOTFOUND, not logged: it is
 * not
 */
int xenfork__frozen_load(xenfork_ctx *ctx, const uint8_t uuid[16],
                         struct xenfork__record **record_out);
/*
 * Return the state of a source that is still suspended.  NOTFOUND, not logged:
 * the record means nothing
 */
int xenfork__frozen_info(xenfork_ctx *ctx, const struct xenfork__record *frozen,
                         struct xenfork__dominfo *info_out);
/* Tell whether this image was made of it, in this freeze. */
bool xenfork__frozen_is_image(const struct xenfork__record *frozen,
                              const struct xenfork__record *image);
/* Return its image, if that lives.  NOTFOUND, not logged: none yet, or lost */
int xenfork__frozen_image(xenfork_ctx *ctx,
                          const struct xenfork__record *frozen,
                          struct xenfork__record **image_out);
/* Tell whether this is the image of a source that is still frozen. */
int xenfork__frozen_needs(xenfork_ctx *ctx, const struct xenfork__record *image,
                          bool *needs_out);
/* Remove the records that mean nothing. */
int xenfork__frozen_sweep(xenfork_ctx *ctx);
/* Let a frozen domain run on, as xenfork_thaw() does, within an operation. */
int xenfork__thaw(xenfork_ctx *ctx, uint32_t domid);

#endif

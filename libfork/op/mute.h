/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The NICs of a source that stands still: nothing is written into it, so that
 * the image is as the source is.  The frames that it would have received are
 * lost.
 */
#ifndef LIBFORK_OP_MUTE_H
#define LIBFORK_OP_MUTE_H

#include "base/internal.h"
#include "host/host.h"
#include "state/journal.h"

struct xenfork__mute {
    uint32_t count;
    char **ifnames;
    struct xenfork__netback netback;
};

void xenfork__mute_free(struct xenfork__mute *mute);
/*
 * Find the NICs, and note them in the journal; durable with its next entry.
 * Pass over NICs that another domain serves, that are held, or cannot be held.
 */
int xenfork__mute_prepare(xenfork_ctx *ctx, struct xenfork__journal *journal,
                          uint32_t domid, struct xenfork__mute *mute);
/* Mute them, and wait until all that came before is written. */
int xenfork__mute(xenfork_ctx *ctx, const struct xenfork__mute *mute);
/* Let them hear again; durable with the journal's next entry. */
int xenfork__mute_end(xenfork_ctx *ctx, struct xenfork__journal *journal,
                      const struct xenfork__mute *mute);

#endif

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The host's memory, and what is done to a clone because there is little. */
#ifndef LIBFORK_XEN_HOST_MEMORY_H
#define LIBFORK_XEN_HOST_MEMORY_H

#include "base/internal.h"

struct xenfork__host_memory {
    uint64_t total_pages;
    uint64_t free_pages;    /* and not reserved */
    uint64_t claimed_pages; /* reserved for domains that run */
    uint64_t shared_pages;  /* that several domains have */
    uint64_t saved_pages;   /* that those would need more, had each its own */
};
int xenfork__xen_host_memory(xenfork_ctx *ctx,
                             struct xenfork__host_memory *memory_out);
/*
 * Tell whether the domain waits when it finds no memory, rather than crash:
 * xenforkd has set up a ring for that, which outlives it.
 */
bool xenfork__xen_is_heard(xenfork_ctx *ctx, uint32_t domid);
/*
 * /libxl/D/xenfork-memory: what xenforkd does to a clone because the host has
 * little memory.  It goes with the domain.  "": nothing
 */
#define XENFORK__SHORT_WAITS    "waits"    /* vCPUs have found no memory */
#define XENFORK__SHORT_PAUSING  "pausing"  /* is about to be paused */
#define XENFORK__SHORT_PAUSED   "paused"
#define XENFORK__SHORT_RESUMING "resuming" /* is about to be unpaused */
#define XENFORK__SHORT_SPARED   "spared"   /* its user has unpaused it */
int xenfork__xen_short(xenfork_ctx *ctx, uint32_t domid, char short_out[16]);
int xenfork__xen_set_short(xenfork_ctx *ctx, uint32_t domid, const char *is);
/*
 * Ask a guest to keep no more than @percent of its memory, but to give back no
 * more than @most_kib, by its balloon target; /libxl/D/xenfork-target has what
 * it was.  kib_out: the target; 0: it has no more than that, or was asked
 * before.
 */
int xenfork__xen_ask_back(xenfork_ctx *ctx, uint32_t domid, uint32_t percent,
                          uint64_t most_kib, uint32_t *kib_out);
/*
 * Tell whether a guest was asked; kib_out: what xenfork__xen_let_have() would
 * give it.
 */
int xenfork__xen_is_asked(xenfork_ctx *ctx, uint32_t domid, bool *is_out,
                          uint32_t *kib_out);
/*
 * Let the guest have its memory again.  kib_out: the target; 0: somebody has
 * changed it meanwhile, and it stays.
 */
int xenfork__xen_let_have(xenfork_ctx *ctx, uint32_t domid, uint32_t *kib_out);

#endif

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The host's memory: what clones and sources have of it, what they may still
 * take, and which clones xenforkd pauses first.
 */
#ifndef LIBFORK_OP_MEMORY_H
#define LIBFORK_OP_MEMORY_H

#include "base/internal.h"
#include "xen/xen.h"

/* Facts that decide when a clone is paused. */
struct xenfork__rank {
    bool is_hydrated;
    uint32_t priority;
    uint32_t domid;
};

/* Tell whether a clone is paused before another. */
bool xenfork__rank_is_before(const struct xenfork__rank *a,
                             const struct xenfork__rank *b);
/*
 * Return how many pages of the host's free memory a domain can take by itself:
 * all that it does not have of its own, less what is reserved for it.  @pages:
 * of the guest
 */
uint64_t xenfork__memory_need(bool is_hydrated, uint64_t pages,
                              const struct xenfork__dominfo *info);
/*
 * Tell whether a domain takes of the host's free memory with its next write:
 * one that shares nothing does not, nor, once hydrated, one that has a page in
 * reserve.
 */
bool xenfork__memory_is_taking(bool is_hydrated, uint64_t pages,
                               const struct xenfork__dominfo *info);
/* Tell whether xenforkd has paused a domain because memory is low. */
int xenfork__memory_has_paused(xenfork_ctx *ctx,
                               const struct xenfork__dominfo *info,
                               bool *has_out);
/*
 * Refuse, with BUSY, a domain that xenforkd has paused because memory is low:
 * to suspend it is to let it run.  The caller holds its lock.
 */
int xenfork__memory_refuse(xenfork_ctx *ctx,
                           const struct xenfork__dominfo *info,
                           const char *name);

#endif

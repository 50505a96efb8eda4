/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The part of xen.h that is about memory. */
#ifndef LIBFORK_XEN_MEMORY_H
#define LIBFORK_XEN_MEMORY_H

#include <stdbool.h>
#include <stdint.h>

#include "xenfork.h"

#define XENFORK__BATCH 512U /* gfns in one multicall */

/* Memory: xen/memory.c */
/* Return how many pages of the host are free and not claimed. */
int xenfork__xen_free_pages(xenfork_ctx *ctx, uint64_t *pages_out);
/*
 * Reserve memory (Xen's claim) so that the domain can own @pages in all, with
 * those that it owns; 0 removes the claim.  HOSTMEM: not enough
 */
int xenfork__xen_claim(xenfork_ctx *ctx, uint32_t domid, uint64_t pages);
/*
 * Set the claims of one or two domains at once: what one has less, the other
 * can have more.  @pages: in all, 0: none.  They keep what they have when it
 * fails.  HOSTMEM
 */
struct xenfork__claim {
    uint32_t domid;
    uint64_t pages;
};
int xenfork__xen_claims(xenfork_ctx *ctx, const struct xenfork__claim *claims,
                        uint32_t count);
int xenfork__xen_set_max_pages(xenfork_ctx *ctx, uint32_t domid,
                               uint64_t pages);
int xenfork__xen_max_gfn(xenfork_ctx *ctx, uint32_t domid, uint64_t *gfn_out);
/*
 * Tell which of count <= 1024 gfns, from first on, have memory; a clone gets
 * its missing pages by this
 */
int xenfork__xen_present(xenfork_ctx *ctx, uint32_t domid, uint64_t first,
                         uint32_t count, bool *present_out);
/* Tell it of count <= XENFORK__BATCH gfns anywhere. */
int xenfork__xen_present_at(xenfork_ctx *ctx, uint32_t domid,
                            const uint64_t *gfns, uint32_t count,
                            bool *present_out);
/*
 * Give the domain pages of its own in place of shared ones; those that a fork
 * has not yet come too.  count <= XENFORK__BATCH.  A page for which there is no
 * memory stays shared: xenfork__xen_info() tells.
 */
int xenfork__xen_unshare(xenfork_ctx *ctx, uint32_t domid, const uint64_t *gfns,
                         uint32_t count);
/*
 * Make pages sharable of a source that does not run now; gfns ascending, count
 * <= XENFORK__BATCH.  handles_out[i] is 0 where it could not be done.  HOSTMEM
 */
int xenfork__xen_nominate(xenfork_ctx *ctx, uint32_t source,
                          const uint64_t *gfns, uint32_t count,
                          uint64_t *handles_out);
/*
 * Share nominated pages with the image at the same gfn; where the handle is 0
 * or no longer valid nothing is done and is_shared_out[i] is false.
 */
int xenfork__xen_share(xenfork_ctx *ctx, uint32_t source, uint32_t image,
                       const uint64_t *gfns, const uint64_t *handles,
                       uint32_t count, bool *is_shared_out);
/*
 * Take pages out of the image, which has them all; count <= XENFORK__BATCH.
 * HOSTMEM
 */
int xenfork__xen_drop(xenfork_ctx *ctx, uint32_t image, const uint64_t *gfns,
                      uint32_t count);
/* Copy pages that cannot be shared; count <= XENFORK__BATCH. */
int xenfork__xen_copy(xenfork_ctx *ctx, uint32_t source, uint32_t image,
                      const uint64_t *gfns, uint32_t count);
/*
 * Fork the memory of an image into a clone, by one hypercall; the clone is
 * paused and has never run.
 */
int xenfork__xen_fork_memory(xenfork_ctx *ctx, uint32_t image, uint32_t clone);

/* The log of what a running domain writes: xen/dirty.c */
/* Begin to log it.  BUSY with remedy: somebody else does */
int xenfork__xen_dirty_begin(xenfork_ctx *ctx, uint32_t domid);
/* Count the pages written since they were last taken. */
int xenfork__xen_dirty_count(xenfork_ctx *ctx, uint32_t domid,
                             uint64_t *count_out);
/*
 * Take them: a bit for each gfn below @end, a multiple of 64.  Pages that have
 * come count as written; those that have gone do not.
 */
int xenfork__xen_dirty_take(xenfork_ctx *ctx, uint32_t domid, uint64_t end,
                            uint64_t *bitmap_out);
/* End the log; there is none: success. */
int xenfork__xen_dirty_end(xenfork_ctx *ctx, uint32_t domid);

#endif

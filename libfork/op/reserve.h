/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reserve memory: what a fork may need is claimed in Xen before anything is
 * touched, first for the image, then for the domains that are to use it.  A
 * source keeps the right to all the memory that it had: its shared pages are
 * reserved in full, or, where xenforkd has it wait when there is none, in part.
 * A clone gets what the spec reserves.
 */
#ifndef LIBFORK_OP_RESERVE_H
#define LIBFORK_OP_RESERVE_H

#include "base/internal.h"
#include "base/spec.h"
#include "state/record.h"
#include "xen/xen.h"

struct xenfork__reservation {
    uint64_t source_pages;   /* the source's memory in all */
    uint64_t source_limit;   /* of it: what it reserves at most */
    uint64_t source_claimed; /* of that: before the fork */
    uint64_t source_share;   /* the rest of that */
    uint64_t source_given;   /* of the rest: claimed by it by now */
    uint64_t clone_pages;    /* reserved for each clone */
    uint64_t asked_pages;    /* of that: also when it lacks nothing */
    uint64_t domain_pages;   /* that Xen takes for each clone */
    uint64_t record_pages;   /* for Xen's records of the pages shared */
    uint64_t record_credit;  /* of them: released, and not yet used */
    uint64_t copy_pages;     /* for pages that the image gets as copies */
    uint64_t pages;          /* to claim for all together */
    uint64_t overhead_pages; /* Xen's own structures, not claimable */
    uint64_t leave_kib;      /* of the host's memory */
};

/*
 * Tell whether the source waits, rather than crashes, when it finds no memory:
 * then it need not have all in reserve.  A clone has, for itself.
 */
int xenfork__source_is_heard(xenfork_ctx *ctx,
                             const struct xenfork__dominfo *source,
                             bool *is_heard_out);
/* Reserve @reserve pages for the domain, in addition to those that it owns. */
int xenfork__reserve_more(xenfork_ctx *ctx, uint32_t domid, uint64_t reserve);

/*
 * Compute the memory that a fork needs of a source, or of an image, with as
 * many pages.
 */
int xenfork__reservation(xenfork_ctx *ctx, const xenfork_spec *spec,
                         const struct xenfork__dominfo *forked, bool is_image,
                         uint64_t guest_pages,
                         struct xenfork__reservation *out);
/* Check the host's memory.  HOSTMEM (not logged): the host has less. */
int xenfork__reservation_check(xenfork_ctx *ctx,
                               const struct xenfork__reservation *reservation);
/* Claim it all in the name of the image. */
int xenfork__reservation_claim(xenfork_ctx *ctx, uint32_t image,
                               struct xenfork__reservation *reservation);
/* Release what Xen takes for a clone's domain, which is made now. */
int xenfork__reservation_domain(xenfork_ctx *ctx, uint32_t image,
                                struct xenfork__reservation *reservation);
/*
 * Release what Xen takes for its records of @count pages, which are shared
 * next: until then no other fork, and no xl create, can have it.
 */
int xenfork__reservation_records(xenfork_ctx *ctx, uint32_t image,
                                 uint64_t count,
                                 struct xenfork__reservation *reservation);
/* Note that the image has taken @count pages of its reservation for itself. */
void xenfork__reservation_copied(struct xenfork__reservation *reservation,
                                 uint64_t count);
/*
 * Give the source as much of its share as it needs now, for the pages that it
 * shares already.  It does not run.
 */
int xenfork__reservation_follow(xenfork_ctx *ctx, uint32_t image,
                                uint32_t source,
                                struct xenfork__reservation *reservation);
/* Give the source what is left of its share of the image's reservation. */
int xenfork__reservation_source(xenfork_ctx *ctx, uint32_t image,
                                uint32_t source,
                                struct xenfork__reservation *reservation);
/* Reserve memory for a clone. */
int xenfork__reservation_clone(xenfork_ctx *ctx, uint32_t image, uint32_t clone,
                               struct xenfork__reservation *reservation);
/*
 * Reserve all that a clone which is not hydrated may lack: what it touches, and
 * Xen cannot give, reads as nonsense.  It is not done where it would take more
 * than half of what is free: then the clone must not run before it is hydrated.
 * Sets clone->owned: what it may own in all when it is, without asking.
 */
int xenfork__cover(xenfork_ctx *ctx, struct xenfork__record *clone,
                   const struct xenfork__reservation *reservation,
                   bool *is_covered_out);
/*
 * Reserve again what a clone that is not hydrated lacks, and has no more in
 * reserve: a claim does not grow when its guest gives pages back (Xen 4.19 to
 * 4.20).  HOSTMEM, BUSY (not logged): there are less than @leave pages besides;
 * somebody else is at it
 */
int xenfork__cover_again(xenfork_ctx *ctx, uint32_t domid, uint64_t pages,
                         uint64_t leave);
/* End the reservation of the image, whose limit is @max_pages again. */
int xenfork__reservation_end(xenfork_ctx *ctx, uint32_t image,
                             uint64_t max_pages);

/*
 * Give back what a source that waits when it finds no memory has in reserve
 * beyond @percent of its memory; lowered_out: the pages that it keeps, 0:
 * nothing was done.  BUSY (not logged): an operation is on it
 */
int xenfork__source_lower(xenfork_ctx *ctx, uint32_t domid, uint32_t percent,
                          uint64_t *lowered_out);
#endif

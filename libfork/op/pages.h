/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A domain's memory, page by page: found, shared with its image, copied. */
#ifndef LIBFORK_OP_PAGES_H
#define LIBFORK_OP_PAGES_H

#include "base/internal.h"
#include "op/reserve.h"
#include "xen/xen.h"

/* Bitmaps with a bit for each gfn. */
struct xenfork__pages {
    uint64_t end;      /* of the gfns that may have memory, by 64 */
    uint64_t room;     /* likewise, of the bitmaps */
    uint64_t *known;   /* the source has memory here */
    uint64_t *held;    /* the image has a page here */
    uint64_t *due;     /* the image's page is missing, or not as the source's */
    uint64_t max_gfn;  /* that Xen had mapped */
    uint64_t extra;    /* known ones that Xen does not count as memory */
    bool is_unsettled; /* the guest took or gave memory while it was scanned */
};

/* Domains between which pages are shared, and how. */
struct xenfork__sharing {
    uint32_t source, image;
    struct xenfork__pages *pages;
    struct xenfork__reservation *reservation;
    bool is_running; /* the source, meanwhile */
    uint32_t pace; /* per cent of the time in which nothing is done */
    uint64_t work_ns, pauses_ns;
};

void xenfork__pages_free(struct xenfork__pages *pages);
#define cleanup_pages __attribute__((cleanup(xenfork__pages_free)))

/*
 * Return how many pages a domain has.  For a clone that is not hydrated Xen
 * counts those alone that have come; its image had them all.
 */
int xenfork__pages_count(xenfork_ctx *ctx, const struct xenfork__dominfo *info,
                         uint64_t *counted_out);
/* List every gfn that has memory; all are due.  This hydrates a clone. */
int xenfork__pages_scan(xenfork_ctx *ctx, uint32_t domid,
                        struct xenfork__pages *pages_out);
/* Add what has been written to what is due: a bit for each gfn below end. */
void xenfork__pages_written(struct xenfork__pages *pages,
                            const uint64_t *written);
uint64_t xenfork__pages_due(const struct xenfork__pages *pages);
/*
 * Tell whether the list is that of now, with all that has been written since: a
 * page that comes counts as written, one that goes does not, so the numbers
 * tell.
 */
int xenfork__pages_are_all(xenfork_ctx *ctx, uint32_t domid,
                           const struct xenfork__pages *pages, bool *are_out);
/*
 * Share what is due; what cannot be shared now stays due.  A source that runs
 * is paused for each batch, a millisecond or less: for each page of a running
 * domain Xen interrupts every CPU that it runs on, which costs more.  Then it
 * runs undisturbed for a while.
 */
int xenfork__pages_share(xenfork_ctx *ctx, struct xenfork__sharing *sharing);
/*
 * Complete the image: share what is due, copy what cannot be shared, take out
 * what the source has no more.  The source does not run.
 */
int xenfork__pages_complete(xenfork_ctx *ctx, struct xenfork__sharing *sharing);

#endif

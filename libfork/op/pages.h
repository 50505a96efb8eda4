/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A domain's memory, page by page: found, made sharable, shared. */
#ifndef LIBFORK_PAGES_H
#define LIBFORK_PAGES_H

#include "base/internal.h"
#include "xen/xen.h"

/* Special pages of an HVM container lie here: xc_dom.h, 4.17. */
#define XENFORK__SPECIAL_FIRST 0xf0000U
#define XENFORK__SPECIAL_END   0x100000U

struct xenfork__pages {
    size_t count, room;
    uint64_t *gfns;    /* ascending */
    uint64_t *handles; /* 0: not sharable when last tried */
};

void xenfork__pages_free(struct xenfork__pages *pages);
#define cleanup_pages __attribute__((cleanup(xenfork__pages_free)))

/* List every gfn that has memory.  This hydrates a clone. */
int xenfork__pages_scan(xenfork_ctx *ctx, uint32_t domid,
                        struct xenfork__pages *pages_out);
/*
 * Nominate pages while the source runs, which halves the work that is left for
 * the stun.  It is paused for each batch, a millisecond or less: for each page
 * of a running domain Xen interrupts every CPU that it runs on, which costs
 * more.
 */
int xenfork__pages_nominate(xenfork_ctx *ctx,
                            const struct xenfork__dominfo *source,
                            struct xenfork__pages *pages);
/* Find the special pages among them: first index, and how many. */
uint32_t xenfork__pages_special(const struct xenfork__pages *pages,
                                size_t *first_out);
/*
 * Share all with the image, copy what cannot be shared.  The source does not
 * run.  Pages that came or went since the scan are found and dealt with.
 */
int xenfork__pages_share(xenfork_ctx *ctx, uint32_t source, uint32_t image,
                         struct xenfork__pages *pages);

#endif

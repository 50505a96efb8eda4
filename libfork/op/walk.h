/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A walk over all that a domain may have memory at.  A guest can map one page
 * wherever it likes (gfn 2^36 - 1 at most), and to look at all that lies below
 * would take hours: so a walk ends when it has seen as many pages as Xen
 * counts, and 4 GiB without one after them, and has an end in any case.  A
 * source's ends 8 GiB behind the memory that its configuration gives it.
 */
#ifndef LIBFORK_OP_WALK_H
#define LIBFORK_OP_WALK_H

#include <stdbool.h>
#include <stdint.h>

#define XENFORK__WALK_GAP   (UINT64_C(1) << 20) /* gfns: 4 GiB, a PCI hole */
#define XENFORK__WALK_HOLES (UINT64_C(1) << 26) /* gfns: 256 GiB */
#define XENFORK__WALK_SLACK (UINT64_C(1) << 21) /* gfns: 8 GiB */

struct xenfork__walk {
    uint64_t end;     /* of the gfns, behind the last */
    uint64_t limit;   /* no gfn from here on is looked at; 0: none */
    uint64_t counted; /* pages that there should be */
    uint64_t gfn;     /* the next */
    uint64_t seen;    /* pages */
    uint64_t holes;   /* gfns without one: all, and those since the last */
    uint64_t gap;
};

/* Return how many gfns to look at next, from walk->gfn on; 0: it has ended. */
uint32_t xenfork__walk_next(const struct xenfork__walk *walk, uint32_t most);
/* Note which of them, in the order of gfns, have memory. */
void xenfork__walk_note(struct xenfork__walk *walk, const bool *present,
                        uint32_t count);
/*
 * Tell whether the walk has ended before it has seen all pages that Xen counts.
 */
bool xenfork__walk_is_short(const struct xenfork__walk *walk);

#endif

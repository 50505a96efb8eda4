/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "op/special.h"

#include "op/precopy.h"

/* libxl_dom.c (libxl__build_hvm()), xc_dom.h, 4.17 to 4.22 */
#define FIRST_HIGH    0x100000U /* page of 4 GiB */
#define HOLE_FIRST    0xf0000U  /* there is no RAM from here to 4 GiB */
#define SPECIAL_FIRST 0xf0000U  /* of a domain without a device model */

void xenfork__ram_layout(uint64_t pages, uint64_t hole_kib,
                         uint64_t *low_end_out, uint64_t *high_end_out)
{
    uint64_t hole = hole_kib / XENFORK__PAGE_KIB, low = HOLE_FIRST;

    if (hole > FIRST_HIGH - HOLE_FIRST && hole < FIRST_HIGH)
        low = FIRST_HIGH - hole;
    if (pages < low)
        low = pages;
    *low_end_out = low;
    *high_end_out = FIRST_HIGH + (pages - low);
}

static bool is_special(const struct xenfork__pages *pages, uint64_t gfn,
                       uint64_t first, uint64_t high)
{
    return (pages->known[gfn / 64] >> gfn % 64 & 1) &&
           (gfn >= high || (gfn >= first && gfn < FIRST_HIGH));
}

int xenfork__pages_special(xenfork_ctx *ctx, const struct xenfork__pages *pages,
                           uint64_t first, uint64_t high, uint64_t **gfns_out,
                           uint32_t *count_out)
{
    uint64_t gfn, *gfns = NULL;
    uint32_t n = 0;

    for (gfn = first; gfn < pages->end; gfn++)
        n += is_special(pages, gfn, first, high);
    gfns = calloc(n + 1, sizeof(*gfns));
    if (!gfns)
        return xenfork__nomem(ctx);
    for (n = 0, gfn = first; gfn < pages->end; gfn++)
        if (is_special(pages, gfn, first, high))
            gfns[n++] = gfn;
    *gfns_out = gfns;
    *count_out = n;
    return 0;
}

/*
 * List those of an HVM domain.  QEMU's may have moved since the pages were
 * listed, as a frame buffer does: if the list does not hold any more, another
 * is made.
 */
static int list_of_hvm(struct xenfork__job *job, uint64_t **gfns_out,
                       uint32_t *count_out)
{
    cleanup_pages struct xenfork__pages anew = {0};
    const struct xenfork__pages *pages = &job->pages;
    uint64_t ram = 0, low = 0, high = 0;
    uint32_t source = job->info.domid;
    xenfork_ctx *ctx = job->ctx;
    bool are_all = false;
    int rc;

    if ((rc = xenfork__xen_ram_pages(ctx, source, &ram)) < 0 ||
        (!job->frozen && (rc = xenfork__precopy_written(job)) < 0) ||
        (rc = xenfork__pages_are_all(ctx, source, pages, &are_all)) < 0)
        return rc;
    if (!are_all) {
        if ((rc = xenfork__pages_scan(ctx, source, &anew)) < 0)
            return rc;
        pages = &anew;
    }
    xenfork__ram_layout(ram, job->config->hole_kib, &low, &high);
    return xenfork__pages_special(ctx, pages, low, high, gfns_out, count_out);
}

int xenfork__special(struct xenfork__job *job, uint64_t **gfns_out,
                     uint32_t *count_out)
{
    if (job->config->type == XENFORK__TYPE_HVM)
        return list_of_hvm(job, gfns_out, count_out);
    return xenfork__pages_special(job->ctx, &job->pages, SPECIAL_FIRST,
                                  UINT64_MAX, gfns_out, count_out);
}

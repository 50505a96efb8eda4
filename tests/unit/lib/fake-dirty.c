/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The fake's log of what a domain writes: xen/dirty.c. */
#include "config.h"

#include "fake-xen.h"

#include <string.h>

#include "base/internal.h"

void fake_run_on(struct fake_domain *d, uint32_t pages)
{
    uint64_t gfn, content;

    if (d->is_shutdown || d->is_paused || d->parent)
        return;
    for (gfn = 1; gfn <= pages; gfn++)
        if (fake_read(d->domid, gfn, &content))
            fake_write(d->domid, gfn,
                       fake->busy_changes ? fake->next_content++ : content);
}

static int refuse(xenfork_ctx *ctx, uint32_t domid)
{
    return fake_leave(xenfork__fail(ctx, XENFORK_E_XEN, EINVAL,
                                    "cannot log domain %u", domid));
}

/* As paging_log_dirty_enable(), xen/arch/x86/mm/paging.c */
int xenfork__xen_dirty_begin(xenfork_ctx *ctx, uint32_t domid)
{
    struct fake_domain *d = fake_domain(domid);
    uint32_t i;

    FAKE_ENTER(ctx);
    if (!d || d->is_dying)
        return refuse(ctx, domid);
    if (d->is_logging || d->is_migrated) {
        xenfork__fail(ctx, XENFORK_E_BUSY, 0, "domain %u is logged", domid);
        return fake_leave(xenfork__remedy(ctx, "wait"));
    }
    d->is_logging = true;
    for (i = 0; i < d->page_count; i++)
        d->pages[i].is_dirty = false;
    return fake_leave(0);
}

int xenfork__xen_dirty_count(xenfork_ctx *ctx, uint32_t domid,
                             uint64_t *count_out)
{
    struct fake_domain *d = fake_domain(domid);
    uint32_t i;

    FAKE_ENTER(ctx);
    if (!d || d->is_dying || !d->is_logging)
        return refuse(ctx, domid);
    fake_run_on(d, fake->busy_pages);
    *count_out = 0;
    for (i = 0; i < d->page_count; i++)
        *count_out += d->pages[i].is_dirty;
    return fake_leave(0);
}

int xenfork__xen_dirty_take(xenfork_ctx *ctx, uint32_t domid, uint64_t end,
                            uint64_t *bitmap_out)
{
    struct fake_domain *d = fake_domain(domid);
    uint32_t i;

    FAKE_ENTER(ctx);
    if (!d || d->is_dying || !d->is_logging || end % 64)
        return refuse(ctx, domid);
    memset(bitmap_out, 0, end / 8);
    for (i = 0; i < d->page_count; i++) {
        struct fake_page *page = &d->pages[i];

        if (!page->is_dirty || page->gfn >= end)
            continue;
        bitmap_out[page->gfn / 64] |= UINT64_C(1) << page->gfn % 64;
        page->is_dirty = false;
    }
    return fake_leave(0);
}

int xenfork__xen_dirty_end(xenfork_ctx *ctx, uint32_t domid)
{
    struct fake_domain *d = fake_domain(domid);

    FAKE_ENTER(ctx);
    if (!d || d->is_dying)
        return refuse(ctx, domid);
    if (d->is_migrated)
        fake_violation("the log of domain %u is not ours", domid);
    d->is_logging = false;
    return fake_leave(0);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The fake's memory: claims, sharing, native forks. */
#include "config.h"

#include "fake-pages.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/internal.h"
#include "xen/host-memory.h"

static int no_domain(xenfork_ctx *ctx, uint32_t domid)
{
    return fake_leave(
        xenfork__fail(ctx, XENFORK_E_XEN, ESRCH, "no domain %u", domid));
}

int xenfork__xen_free_pages(xenfork_ctx *ctx, uint64_t *pages_out)
{
    FAKE_ENTER(ctx);
    *pages_out = fake->free_pages - fake_claimed();
    return fake_leave(0);
}

int xenfork__xen_host_memory(xenfork_ctx *ctx,
                             struct xenfork__host_memory *memory_out)
{
    uint32_t i;

    FAKE_ENTER(ctx);
    *memory_out = (struct xenfork__host_memory){
        .total_pages = FAKE_HOST_PAGES,
        .free_pages = fake->free_pages - fake_claimed(),
        .claimed_pages = fake_claimed()};
    for (i = 0; i < FAKE_FRAMES; i++)
        if (fake->frames[i].refs > 1) {
            memory_out->shared_pages++;
            memory_out->saved_pages += fake->frames[i].refs - 1;
        }
    return fake_leave(0);
}

/* As domain_set_outstanding_pages(), xen/common/page_alloc.c */
static int set_claim(xenfork_ctx *ctx, struct fake_domain *d, uint64_t pages)
{
    uint64_t owned = fake_private_pages(d);

    if (!pages) {
        d->claimed_pages = 0;
        return 0;
    }
    if (pages <= owned || pages > d->max_pages)
        return xenfork__fail(
            ctx, XENFORK_E_XEN, EINVAL,
            "cannot claim %llu pages for domain %u: owned %llu, at most %llu",
            (unsigned long long)pages, d->domid, (unsigned long long)owned,
            (unsigned long long)d->max_pages);
    /* As the adapter does: what it had counts as free, and is kept. */
    if (pages - owned > fake->free_pages - fake_claimed() + d->claimed_pages)
        return xenfork__fail(ctx, XENFORK_E_HOSTMEM, ENOMEM,
                             "cannot claim for domain %u", d->domid);
    d->claimed_pages = pages - owned;
    return 0;
}

int xenfork__xen_claim(xenfork_ctx *ctx, uint32_t domid, uint64_t pages)
{
    struct fake_domain *d = fake_domain(domid);

    FAKE_ENTER(ctx);
    if (!d || d->is_dying)
        return no_domain(ctx, domid);
    return fake_leave(set_claim(ctx, d, pages));
}

/* As xen/claim.c: all of them, or none. */
int xenfork__xen_claims(xenfork_ctx *ctx, const struct xenfork__claim *claims,
                        uint32_t count)
{
    struct fake_domain *d[2];
    uint64_t before[2];
    uint32_t i;
    int rc = 0;

    FAKE_ENTER(ctx);
    for (i = 0; i < count; i++) {
        d[i] = fake_domain(claims[i].domid);
        if (!d[i] || d[i]->is_dying)
            return no_domain(ctx, claims[i].domid);
    }
    for (i = 0; i < count; i++) {
        before[i] = d[i]->claimed_pages;
        d[i]->claimed_pages = 0;
    }
    for (i = 0; i < count && rc == 0; i++)
        rc = set_claim(ctx, d[i], claims[i].pages);
    for (i = 0; i < count && rc < 0; i++)
        d[i]->claimed_pages = before[i];
    return fake_leave(rc);
}

bool xenfork__xen_is_heard(xenfork_ctx *ctx, uint32_t domid)
{
    const struct fake_domain *d = fake_domain(domid);

    (void)ctx;
    return d && d->has_ring;
}

int xenfork__xen_set_max_pages(xenfork_ctx *ctx, uint32_t domid, uint64_t pages)
{
    struct fake_domain *d = fake_domain(domid);

    FAKE_ENTER(ctx);
    if (!d || d->is_dying)
        return no_domain(ctx, domid);
    d->max_pages = pages;
    return fake_leave(0);
}

int xenfork__xen_short(xenfork_ctx *ctx, uint32_t domid, char short_out[16])
{
    const struct fake_domain *d = fake_domain(domid);

    FAKE_ENTER(ctx);
    fake_copy_string(short_out, 16, d && !d->is_dying ? d->is_short : "");
    return fake_leave(0);
}

int xenfork__xen_set_short(xenfork_ctx *ctx, uint32_t domid, const char *is)
{
    struct fake_domain *d = fake_domain(domid);

    FAKE_ENTER(ctx);
    if (!d || d->is_dying)
        return no_domain(ctx, domid);
    fake_copy_string(d->is_short, sizeof(d->is_short), is);
    return fake_leave(0);
}

int xenfork__xen_is_asked(xenfork_ctx *ctx, uint32_t domid, bool *is_out,
                          uint32_t *kib_out)
{
    const struct fake_domain *d = fake_domain(domid);

    FAKE_ENTER(ctx);
    *is_out = d && d->before_kib;
    *kib_out = *is_out && d->target_kib == d->asked_kib
                   ? d->before_kib - d->asked_kib
                   : 0;
    return fake_leave(0);
}

int xenfork__xen_ask_back(xenfork_ctx *ctx, uint32_t domid, uint32_t percent,
                          uint64_t most_kib, uint32_t *kib_out)
{
    struct fake_domain *d = fake_domain(domid);
    uint32_t now, kib;

    FAKE_ENTER(ctx);
    *kib_out = 0;
    if (!d || d->is_dying)
        return no_domain(ctx, domid);
    now = d->target_kib ? d->target_kib : (uint32_t)d->max_kib;
    kib = (uint32_t)(d->max_kib * percent / 100);
    if (now > most_kib && kib < now - most_kib)
        kib = now - (uint32_t)most_kib;
    if (d->before_kib || now <= kib)
        return fake_leave(0);
    d->before_kib = now;
    d->asked_kib = d->target_kib = *kib_out = kib;
    return fake_leave(0);
}

int xenfork__xen_let_have(xenfork_ctx *ctx, uint32_t domid, uint32_t *kib_out)
{
    struct fake_domain *d = fake_domain(domid);

    FAKE_ENTER(ctx);
    *kib_out = 0;
    if (!d || d->is_dying)
        return no_domain(ctx, domid);
    if (d->before_kib && d->target_kib == d->asked_kib)
        d->target_kib = *kib_out = d->before_kib;
    d->before_kib = 0;
    return fake_leave(0);
}

int xenfork__xen_ram_pages(xenfork_ctx *ctx, uint32_t domid,
                           uint64_t *pages_out)
{
    FAKE_ENTER(ctx);
    if (!fake_domain(domid))
        return fake_leave(
            xenfork__fail(ctx, XENFORK_E_XEN, 0, "no domain %u", domid));
    *pages_out = 60; /* the last four pages of RAM are QEMU's */
    return fake_leave(0);
}

int xenfork__xen_max_gfn(xenfork_ctx *ctx, uint32_t domid, uint64_t *gfn_out)
{
    struct fake_domain *d = fake_domain(domid);

    FAKE_ENTER(ctx);
    if (!d || d->is_dying)
        return no_domain(ctx, domid);
    *gfn_out = d->max_gfn;
    return fake_leave(0);
}

static void mark(struct fake_domain *d, uint64_t first, uint32_t count,
                 bool *present)
{
    uint32_t i = fake_place(d, first);

    for (; i < d->page_count && d->pages[i].gfn < first + count; i++)
        present[d->pages[i].gfn - first] = true;
}

int xenfork__xen_present(xenfork_ctx *ctx, uint32_t domid, uint64_t first,
                         uint32_t count, bool *present_out)
{
    struct fake_domain *d = fake_domain(domid), *a;
    uint32_t i;

    FAKE_ENTER(ctx);
    if (!d || d->is_dying)
        return no_domain(ctx, domid);
    if (count > 1024)
        fake_violation("present: %u gfns at once", count);
    if (d->pod_entries)
        fake_violation("domain %u is looked at, and crashes of it", domid);
    memset(present_out, 0, count * sizeof(*present_out));
    for (a = d; a; a = fake_domain(a->parent))
        mark(a, first, count, present_out);
    for (i = 0; d->parent && i < count; i++)
        if (present_out[i])
            present_out[i] = fake_populate(d, first + i);
    return fake_leave(0);
}

int xenfork__xen_present_at(xenfork_ctx *ctx, uint32_t domid,
                            const uint64_t *gfns, uint32_t count,
                            bool *present_out)
{
    struct fake_domain *d = fake_domain(domid);
    uint32_t i;

    FAKE_ENTER(ctx);
    if (!d || d->is_dying)
        return no_domain(ctx, domid);
    if (count > XENFORK__BATCH)
        fake_violation("present_at: %u gfns at once", count);
    for (i = 0; i < count; i++)
        present_out[i] = fake_populate(d, gfns[i]);
    return fake_leave(0);
}

int xenfork__xen_unshare(xenfork_ctx *ctx, uint32_t domid, const uint64_t *gfns,
                         uint32_t count)
{
    struct fake_domain *d = fake_domain(domid);
    uint32_t i;

    FAKE_ENTER(ctx);
    if (!d || d->is_dying)
        return no_domain(ctx, domid);
    if (count > XENFORK__BATCH)
        fake_violation("unshare: %u gfns at once", count);
    for (i = 0; i < count; i++) {
        struct fake_page *page;

        if (!fake_populate(d, gfns[i]))
            continue;
        page = fake_page(d, gfns[i]);
        if (!frame_of(page)->handle)
            continue;
        if (frame_of(page)->refs == 1) {
            frame_of(page)->handle = 0;
        } else if (fake_take_page(d)) {
            frame_of(page)->refs--;
            page->frame = fake_new_frame(frame_of(page)->content, 0);
        }
    }
    return fake_leave(0);
}

/* Xen's record of a shared page comes out of what nobody has claimed. */
static bool take_record(void)
{
    if (!fake->has_records || fake->records++ % FAKE_RECORDS_PER_PAGE)
        return true;
    if (fake->free_pages <= fake_claimed())
        return false;
    fake->free_pages--;
    return true;
}

int xenfork__xen_nominate(xenfork_ctx *ctx, uint32_t source,
                          const uint64_t *gfns, uint32_t count,
                          uint64_t *handles_out)
{
    struct fake_domain *d = fake_domain(source);
    uint32_t i;

    /* A caller that is killed here, or fails, leaves it so. */
    if (d)
        d->pool += XENFORK__PAGE_SIZE;
    FAKE_ENTER(ctx);
    if (!d || d->is_dying)
        return no_domain(ctx, source);
    d->pool -= XENFORK__PAGE_SIZE;
    if (count > XENFORK__BATCH)
        fake_violation("nominate: %u gfns at once", count);
    if (!d->is_paused && !d->is_shutdown)
        fake_violation("domain %u runs while its pages are nominated", source);
    usleep(fake->nominate_ms * 1000);
    for (i = 0; i < count; i++) {
        struct fake_page *page = fake_page(d, gfns[i]);

        handles_out[i] = 0;
        if (!page || page->is_unsharable)
            continue;
        if (!frame_of(page)->handle) {
            if (!take_record())
                return xenfork__fail(ctx, XENFORK_E_HOSTMEM, ENOMEM,
                                     "no memory for a record of sharing");
            frame_of(page)->handle = fake->next_handle++;
        }
        handles_out[i] = frame_of(page)->handle;
    }
    return fake_leave(0);
}

int xenfork__xen_share(xenfork_ctx *ctx, uint32_t source, uint32_t image,
                       const uint64_t *gfns, const uint64_t *handles,
                       uint32_t count, bool *is_shared_out)
{
    struct fake_domain *s = fake_domain(source), *d = fake_domain(image);
    uint32_t i;

    FAKE_ENTER(ctx);
    if (!s || s->is_dying || !d || d->is_dying)
        return no_domain(ctx, s ? image : source);
    if (!s->is_shutdown && !s->is_logging)
        fake_violation("pages shared while domain %u runs, and nothing tells "
                       "what it writes",
                       source);
    if (!s->is_shutdown && !s->is_paused && !s->parent && !s->has_ring &&
        s->claimed_pages + fake_private_pages(s) < s->page_count)
        fake_violation("domain %u has no right to all of its memory", source);
    if (count > XENFORK__BATCH)
        fake_violation("share: %u gfns at once", count);
    for (i = 0; i < count; i++) {
        struct fake_page *page = fake_page(s, gfns[i]);

        is_shared_out[i] = false;
        if (handles[i] && fake_page(d, gfns[i]))
            fake_violation("gfn %llx shared, but the image has it",
                           (unsigned long long)gfns[i]);
        else if (handles[i] && page && frame_of(page)->handle == handles[i]) {
            fake_add_shared(d, gfns[i], page->frame);
            is_shared_out[i] = true;
        }
    }
    return fake_leave(0);
}

/* As guest_remove_page(), xen/common/memory.c */
int xenfork__xen_drop(xenfork_ctx *ctx, uint32_t image, const uint64_t *gfns,
                      uint32_t count)
{
    struct fake_domain *d = fake_domain(image);
    uint32_t i;

    FAKE_ENTER(ctx);
    if (!d || d->is_dying)
        return no_domain(ctx, image);
    if (!count || count > XENFORK__BATCH)
        fake_violation("drop: %u gfns at once", count);
    for (i = 0; i < count; i++) {
        if (!fake_page(d, gfns[i]))
            return fake_leave(xenfork__fail(ctx, XENFORK_E_HOSTMEM, EINVAL,
                                            "the image has no gfn %llx",
                                            (unsigned long long)gfns[i]));
        fake_remove_page(d, gfns[i]);
    }
    return fake_leave(0);
}

int xenfork__xen_copy(xenfork_ctx *ctx, uint32_t source, uint32_t image,
                      const uint64_t *gfns, uint32_t count)
{
    struct fake_domain *s = fake_domain(source), *d = fake_domain(image);
    uint32_t i;

    FAKE_ENTER(ctx);
    if (!s || s->is_dying || !d || d->is_dying)
        return no_domain(ctx, s ? image : source);
    if (!s->is_shutdown)
        fake_violation("pages copied while domain %u runs", source);
    if (count > XENFORK__BATCH)
        fake_violation("copy: %u gfns at once", count);
    for (i = 0; i < count; i++) {
        struct fake_page *page = fake_page(s, gfns[i]);

        if (!page || fake_page(d, gfns[i]) ||
            !fake_add_page(d, gfns[i], frame_of(page)->content))
            return fake_leave(xenfork__fail(
                ctx, XENFORK_E_XEN, page ? ENOMEM : ENOENT,
                "cannot copy gfn %llx", (unsigned long long)gfns[i]));
    }
    return fake_leave(0);
}

static const char *why_no_fork(struct fake_domain *p, struct fake_domain *c)
{
    uint64_t gfn;

    if (!p->is_image || !p->is_paused || !p->is_loaded)
        return "the parent is no image with vCPU state";
    if (!c->is_paused || c->has_run || c->parent)
        return "the clone ran, or is a fork already";
    if (p->max_vcpus != c->max_vcpus)
        return "vCPUs differ";
    /* Xen makes those that the clone has not. */
    for (gfn = 0xfeff8; gfn <= 0xfefff; gfn++)
        if (!fake_page(p, gfn) || (!fake_page(c, gfn) && !c->is_unfinished))
            return "special pages are absent";
    return NULL;
}

/* As fork() in xen/arch/x86/mm/mem_sharing.c */
int xenfork__xen_fork_memory(xenfork_ctx *ctx, uint32_t image, uint32_t clone)
{
    struct fake_domain *p = fake_domain(image), *c = fake_domain(clone);
    const char *why;

    FAKE_ENTER(ctx);
    if (!p || p->is_dying || !c || c->is_dying)
        return no_domain(ctx, p ? clone : image);
    why = why_no_fork(p, c);
    if (why)
        return fake_leave(xenfork__fail(ctx, XENFORK_E_XEN, EINVAL,
                                        "cannot fork domain %u: %s", image,
                                        why));
    c->parent = image;
    c->max_pages = p->max_pages;
    c->max_gfn = p->max_gfn;
    return fake_leave(0);
}

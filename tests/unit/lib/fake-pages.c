/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The pages of the fake's domains, and the frames that they share. */
#include "config.h"

#include "fake-pages.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

uint32_t fake_new_frame(uint64_t content, uint64_t handle)
{
    uint32_t i;

    for (i = 0; i < FAKE_FRAMES; i++)
        if (!fake->frames[i].refs) {
            fake->frames[i] = (struct fake_frame){
                .refs = 1, .content = content, .handle = handle};
            return i;
        }
    abort();
}

/* The page at a gfn, or where it would have to go. */
uint32_t fake_place(const struct fake_domain *d, uint64_t gfn)
{
    uint32_t low = 0, high = d->page_count;

    while (low < high) {
        uint32_t middle = (low + high) / 2;

        if (d->pages[middle].gfn < gfn)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct fake_page *fake_page(struct fake_domain *d, uint64_t gfn)
{
    uint32_t i = fake_place(d, gfn);

    return i < d->page_count && d->pages[i].gfn == gfn ? &d->pages[i] : NULL;
}

static struct fake_page *insert(struct fake_domain *d, uint64_t gfn,
                                uint32_t frame)
{
    uint32_t i = fake_place(d, gfn);

    if (d->page_count == FAKE_PAGES)
        abort();
    memmove(&d->pages[i + 1], &d->pages[i],
            (d->page_count - i) * sizeof(d->pages[0]));
    d->page_count++;
    if (d->max_gfn < gfn)
        d->max_gfn = gfn;
    d->pages[i] = (struct fake_page){.gfn = gfn, .frame = frame};
    return &d->pages[i];
}

uint64_t fake_private_pages(const struct fake_domain *d)
{
    uint64_t n = 0;
    uint32_t i;

    for (i = 0; i < d->page_count; i++)
        n += !frame_of(&d->pages[i])->handle;
    return n;
}

uint64_t fake_claimed(void)
{
    uint64_t n = 0;
    uint32_t i;

    for (i = 0; i < FAKE_DOMAINS; i++)
        if (fake->domains[i].domid)
            n += fake->domains[i].claimed_pages;
    return n;
}

/* A page for a domain: out of its claim, or out of what nobody claimed. */
bool fake_take_page(struct fake_domain *d)
{
    if (fake_private_pages(d) >= d->max_pages || !fake->free_pages)
        return false;
    if (d->claimed_pages)
        d->claimed_pages--;
    else if (fake->free_pages <= fake_claimed())
        return false;
    fake->free_pages--;
    return true;
}

bool fake_add_page(struct fake_domain *d, uint64_t gfn, uint64_t content)
{
    if (!fake_take_page(d))
        return false;
    insert(d, gfn, fake_new_frame(content, 0))->is_dirty = true;
    return true;
}

void fake_remove_page(struct fake_domain *d, uint64_t gfn)
{
    struct fake_page *page = fake_page(d, gfn);

    if (!page)
        abort();
    if (!--frame_of(page)->refs)
        fake->free_pages++;
    d->page_count--;
    memmove(page, page + 1,
            (size_t)(d->pages + d->page_count - page) * sizeof(*page));
}

void fake_add_shared(struct fake_domain *d, uint64_t gfn, uint32_t frame)
{
    insert(d, gfn, frame);
    fake->frames[frame].refs++;
}

void fake_drop_pages(struct fake_domain *d)
{
    uint32_t i;

    for (i = 0; i < d->page_count; i++)
        if (!--frame_of(&d->pages[i])->refs)
            fake->free_pages++;
    d->page_count = 0;
}

static struct fake_page *find_lazy(struct fake_domain *d, uint64_t gfn)
{
    struct fake_page *page = NULL;

    for (; d && !page; d = fake_domain(d->parent))
        page = fake_page(d, gfn);
    return page;
}

bool fake_populate(struct fake_domain *d, uint64_t gfn)
{
    struct fake_page *page = fake_page(d, gfn);

    if (page)
        return true;
    page = find_lazy(d, gfn);
    if (!page || fake->lacks_records)
        return false;
    if (!frame_of(page)->handle)
        frame_of(page)->handle = fake->next_handle++;
    fake_add_shared(d, gfn, page->frame);
    return true;
}

bool fake_read(uint32_t domid, uint64_t gfn, uint64_t *content_out)
{
    struct fake_page *page = find_lazy(fake_domain(domid), gfn);

    if (page)
        *content_out = frame_of(page)->content;
    return page;
}

void fake_write(uint32_t domid, uint64_t gfn, uint64_t content)
{
    struct fake_domain *d = fake_domain(domid);
    struct fake_page *page;
    struct fake_frame *frame;

    if (!d || !fake_populate(d, gfn))
        abort();
    page = fake_page(d, gfn);
    page->is_dirty = true;
    frame = frame_of(page);
    if (frame->refs > 1) {
        if (!fake_take_page(d)) {
            if (d->has_ring) {
                d->is_waiting = d->has_ring_event = true;
                return;
            }
            /* Nobody listens on the sharing ring. */
            d->is_shutdown = true;
            d->shutdown_reason = FAKE_SHUTDOWN_CRASH;
            return;
        }
        frame->refs--;
        page->frame = fake_new_frame(content, 0);
        return;
    }
    frame->handle = 0;
    frame->content = content;
}

bool fake_same_memory(uint32_t a, uint32_t b)
{
    return fake_memory_hash(a) == fake_memory_hash(b);
}

uint64_t fake_memory_hash(uint32_t domid)
{
    uint64_t hash = FAKE_HASH_START, gfn, content;

    /* Special pages are left out: each instance has its own. */
    for (gfn = 0; gfn < 1024; gfn++)
        if (fake_read(domid, gfn, &content)) {
            hash = fake_hash(hash, &gfn, sizeof(gfn));
            hash = fake_hash(hash, &content, sizeof(content));
        }
    return hash;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "op/pages.h"

#include <string.h>

#include "op/walk.h"
#include "state/record.h"

#define SCAN_BATCH 1024U

void xenfork__pages_free(struct xenfork__pages *pages)
{
    int e = errno;

    free(pages->gfns);
    free(pages->handles);
    *pages = (struct xenfork__pages){0};
    errno = e;
}

static int make_room(xenfork_ctx *ctx, struct xenfork__pages *pages,
                     uint64_t room)
{
    uint64_t *gfns = reallocarray(pages->gfns, room, sizeof(*gfns));
    uint64_t *handles;

    if (!gfns)
        return xenfork__nomem(ctx);
    pages->gfns = gfns;
    handles = reallocarray(pages->handles, room, sizeof(*handles));
    if (!handles)
        return xenfork__nomem(ctx);
    pages->handles = handles;
    pages->room = room;
    return 0;
}

static int append(xenfork_ctx *ctx, struct xenfork__pages *pages, uint64_t gfn)
{
    int rc = 0;

    if (pages->count == pages->room)
        rc = make_room(ctx, pages, pages->room + pages->room / 8 + 4096);
    if (rc < 0)
        return rc;
    pages->gfns[pages->count] = gfn;
    pages->handles[pages->count++] = 0;
    return 0;
}

/*
 * Return how many pages there should be.  Of a clone that is not hydrated Xen
 * counts those alone that have come; its image had them all.
 */
static int count_pages(xenfork_ctx *ctx, uint32_t domid, uint64_t *counted_out)
{
    cleanup_record struct xenfork__record *clone = NULL;
    struct xenfork__dominfo info;
    uint64_t counted;
    int rc = xenfork__xen_info(ctx, domid, &info);

    if (rc < 0)
        return rc;
    counted = info.private_pages + info.shared_pages;
    rc = xenfork__record_load(ctx, XENFORK_KIND_CLONE, info.uuid, &clone);
    if (rc < 0 && rc != XENFORK_E_NOTFOUND)
        return rc;
    if (clone && xenfork__record_has_domid(ctx, clone, domid) &&
        clone->hydrated < 100 && clone->pages > counted)
        counted = clone->pages;
    *counted_out = counted;
    return 0;
}

static int scan_batch(xenfork_ctx *ctx, uint32_t domid,
                      struct xenfork__walk *walk, uint32_t n,
                      struct xenfork__pages *pages)
{
    bool present[SCAN_BATCH];
    uint32_t i;
    int rc;

    if ((rc = xenfork__enter(ctx, ctx->stage, XENFORK_ALL, 0)) < 0 ||
        (rc = xenfork__xen_present(ctx, domid, walk->gfn, n, present)) < 0)
        return rc;
    if (memchr(present, true, n))
        for (i = 0; i < n && rc >= 0; i++)
            if (present[i])
                rc = append(ctx, pages, walk->gfn + i);
    xenfork__walk_note(walk, present, n);
    return rc;
}

int xenfork__pages_scan(xenfork_ctx *ctx, uint32_t domid,
                        struct xenfork__pages *pages_out)
{
    cleanup_pages struct xenfork__pages pages = {0};
    struct xenfork__walk walk = {0};
    uint64_t max_gfn;
    uint32_t n;
    int rc;

    if ((rc = xenfork__xen_max_gfn(ctx, domid, &max_gfn)) < 0 ||
        (rc = count_pages(ctx, domid, &walk.counted)) < 0 ||
        (rc = make_room(ctx, &pages, walk.counted + 1)) < 0)
        return rc;
    walk.end = max_gfn + 1;
    while ((n = xenfork__walk_next(&walk, SCAN_BATCH)))
        if ((rc = scan_batch(ctx, domid, &walk, n, &pages)) < 0)
            return rc;
    if (xenfork__walk_is_short(&walk)) {
        xenfork__fail(ctx, XENFORK_E_HYPERVISOR, 0,
                      "domain %u has mapped its memory too far apart, as far "
                      "as page %llx",
                      domid, (unsigned long long)max_gfn);
        return xenfork__remedy(
            ctx,
            "start it again before the fork; a guest has no need of such a "
            "layout");
    }
    *pages_out = pages;
    pages = (struct xenfork__pages){0};
    return 0;
}

static uint32_t batch_at(const struct xenfork__pages *pages, size_t first)
{
    size_t left = pages->count - first;

    return left < XENFORK__BATCH ? (uint32_t)left : XENFORK__BATCH;
}

static int nominate_batch(xenfork_ctx *ctx,
                          const struct xenfork__dominfo *source,
                          struct xenfork__pages *pages, size_t first)
{
    int rc, r;

    if (!source->is_paused && (rc = xenfork__xen_pause(ctx, source->domid)) < 0)
        return rc;
    rc = xenfork__xen_nominate(ctx, source->domid, pages->gfns + first,
                               batch_at(pages, first), pages->handles + first);
    r = source->is_paused ? 0 : xenfork__xen_unpause(ctx, source->domid);
    return rc < 0 ? rc : r;
}

int xenfork__pages_nominate(xenfork_ctx *ctx,
                            const struct xenfork__dominfo *source,
                            struct xenfork__pages *pages)
{
    size_t first;
    int rc = 0;

    for (first = 0; first < pages->count && rc >= 0; first += XENFORK__BATCH)
        rc = nominate_batch(ctx, source, pages, first);
    return rc;
}

uint32_t xenfork__pages_special(const struct xenfork__pages *pages,
                                size_t *first_out)
{
    size_t first = 0, end;

    while (first < pages->count && pages->gfns[first] < XENFORK__SPECIAL_FIRST)
        first++;
    for (end = first;
         end < pages->count && pages->gfns[end] < XENFORK__SPECIAL_END; end++)
        ;
    *first_out = first;
    return (uint32_t)(end - first);
}

/* Drop what is shared from a batch; what is left moves to the front. */
static uint32_t keep_unshared(uint64_t *gfns, const bool *is_shared,
                              uint32_t count)
{
    uint32_t i, left = 0;

    for (i = 0; i < count; i++)
        if (!is_shared[i])
            gfns[left++] = gfns[i];
    return left;
}

/* Copy those that still hold memory; the others have gone since the scan. */
static int copy_present(xenfork_ctx *ctx, uint32_t source, uint32_t image,
                        uint64_t *gfns, uint32_t count)
{
    uint32_t i, left = 0;
    int rc;

    for (i = 0; i < count; i++) {
        bool is_present;

        rc = xenfork__xen_present(ctx, source, gfns[i], 1, &is_present);
        if (rc < 0)
            return rc;
        if (is_present)
            gfns[left++] = gfns[i];
    }
    if (!left)
        return 0;
    rc = xenfork__xen_copy(ctx, source, image, gfns, left);
    if (rc == 0)
        xenfork__count(ctx, XENFORK_COUNT_PAGES_COPIED, left);
    return rc;
}

static int share_batch(xenfork_ctx *ctx, uint32_t source, uint32_t image,
                       const uint64_t *gfns, const uint64_t *handles,
                       uint32_t count)
{
    uint64_t left[XENFORK__BATCH], fresh[XENFORK__BATCH];
    bool is_shared[XENFORK__BATCH];
    uint32_t n;
    int rc;

    rc = xenfork__xen_share(ctx, source, image, gfns, handles, count,
                            is_shared);
    if (rc < 0)
        return rc;
    memcpy(left, gfns, count * sizeof(*gfns));
    n = keep_unshared(left, is_shared, count);
    xenfork__count(ctx, XENFORK_COUNT_PAGES_SHARED, count - n);
    if (!n)
        return 0;
    /* Written since they were nominated: once more, nothing runs now. */
    if ((rc = xenfork__xen_nominate(ctx, source, left, n, fresh)) < 0 ||
        (rc = xenfork__xen_share(ctx, source, image, left, fresh, n,
                                 is_shared)) < 0)
        return rc;
    count = n;
    n = keep_unshared(left, is_shared, count);
    xenfork__count(ctx, XENFORK_COUNT_PAGES_SHARED, count - n);
    return n ? copy_present(ctx, source, image, left, n) : 0;
}

static int share_listed(xenfork_ctx *ctx, uint32_t source, uint32_t image,
                        const struct xenfork__pages *pages)
{
    size_t step = pages->count / 100 + 1;
    size_t first, shown = 0;
    int rc;

    for (first = 0; first < pages->count; first += XENFORK__BATCH) {
        uint32_t n = batch_at(pages, first);

        rc = share_batch(ctx, source, image, pages->gfns + first,
                         pages->handles + first, n);
        if (rc < 0)
            return rc;
        if (first + n >= shown + step) {
            shown = first + n;
            xenfork__progress(ctx, XENFORK_ALL, shown, pages->count);
        }
    }
    return 0;
}

/* Return the pages that are in @all and not in @listed. */
static int difference(xenfork_ctx *ctx, const struct xenfork__pages *all,
                      const struct xenfork__pages *listed,
                      struct xenfork__pages *out)
{
    size_t i, j = 0;
    int rc = 0;

    for (i = 0; i < all->count && rc >= 0; i++) {
        while (j < listed->count && listed->gfns[j] < all->gfns[i])
            j++;
        if (j == listed->count || listed->gfns[j] != all->gfns[i])
            rc = append(ctx, out, all->gfns[i]);
    }
    return rc;
}

/*
 * Share pages that came since the scan.  Every page of the guest is either its
 * own or shared, and Xen counts both: when we have seen fewer, some came to new
 * places since the scan.
 */
static int share_newcomers(xenfork_ctx *ctx, uint32_t source, uint32_t image,
                           const struct xenfork__pages *listed)
{
    cleanup_pages struct xenfork__pages all = {0};
    cleanup_pages struct xenfork__pages fresh = {0};
    struct xenfork__dominfo info;
    int rc = xenfork__xen_info(ctx, source, &info);

    if (rc < 0)
        return rc;
    if (ctx->counters[XENFORK_COUNT_PAGES_SHARED] +
            ctx->counters[XENFORK_COUNT_PAGES_COPIED] >=
        info.private_pages + info.shared_pages)
        return 0;
    if ((rc = xenfork__pages_scan(ctx, source, &all)) < 0 ||
        (rc = difference(ctx, &all, listed, &fresh)) < 0)
        return rc;
    LOG_DEBUG(ctx, "domain %u: %zu pages came since the scan", source,
              fresh.count);
    return share_listed(ctx, source, image, &fresh);
}

int xenfork__pages_share(xenfork_ctx *ctx, uint32_t source, uint32_t image,
                         struct xenfork__pages *pages)
{
    int rc = share_listed(ctx, source, image, pages);

    return rc < 0 ? rc : share_newcomers(ctx, source, image, pages);
}

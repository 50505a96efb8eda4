/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "op/pages.h"

#include <string.h>

#include "op/walk.h"
#include "state/record.h"

#define SCAN_BATCH 1024U
#define SCANS      3 /* until the guest leaves its memory alone */

void xenfork__pages_free(struct xenfork__pages *pages)
{
    int e = errno;

    free(pages->known);
    free(pages->held);
    free(pages->due);
    *pages = (struct xenfork__pages){0};
    errno = e;
}

static bool has_bit(const uint64_t *bitmap, uint64_t gfn)
{
    return bitmap[gfn / 64] >> gfn % 64 & 1;
}

static void set_bit(uint64_t *bitmap, uint64_t gfn)
{
    bitmap[gfn / 64] |= UINT64_C(1) << gfn % 64;
}

static void clear(uint64_t *bitmap, uint64_t gfn)
{
    bitmap[gfn / 64] &= ~(UINT64_C(1) << gfn % 64);
}

static uint64_t count(const uint64_t *bitmap, uint64_t end)
{
    uint64_t i, n = 0;

    for (i = 0; i < end / 64; i++)
        n += (uint64_t)__builtin_popcountll(bitmap[i]);
    return n;
}

static uint64_t round_up(uint64_t end)
{
    return (end + 63) / 64 * 64;
}

static int make_gfn_room(xenfork_ctx *ctx, struct xenfork__pages *pages,
                         uint64_t room)
{
    uint64_t **bitmaps[] = {&pages->known, &pages->held, &pages->due};
    size_t i, words = room / 64 + 1, had = pages->room / 64;

    for (i = 0; i < ARRAY_SIZE(bitmaps); i++) {
        uint64_t *bitmap = reallocarray(*bitmaps[i], words, sizeof(*bitmap));

        if (!bitmap)
            return xenfork__nomem(ctx);
        memset(bitmap + had, 0, (words - had) * sizeof(*bitmap));
        *bitmaps[i] = bitmap;
    }
    pages->room = words * 64;
    return 0;
}

static int add_gfn(xenfork_ctx *ctx, struct xenfork__pages *pages, uint64_t gfn)
{
    int rc = 0;

    if (gfn >= pages->room)
        rc = make_gfn_room(ctx, pages, gfn + gfn / 8);
    if (rc < 0)
        return rc;
    set_bit(pages->known, gfn);
    set_bit(pages->due, gfn);
    if (gfn >= pages->end)
        pages->end = round_up(gfn + 1);
    return 0;
}

int xenfork__pages_count(xenfork_ctx *ctx, const struct xenfork__dominfo *info,
                         uint64_t *counted_out)
{
    cleanup_record struct xenfork__record *clone = NULL;
    uint64_t counted = info->private_pages + info->shared_pages;
    int rc = xenfork__record_load(ctx, XENFORK_KIND_CLONE, info->uuid, &clone);

    if (rc < 0 && rc != XENFORK_E_NOTFOUND)
        return rc;
    if (clone && xenfork__record_has_domid(ctx, clone, info->domid) &&
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
                rc = add_gfn(ctx, pages, walk->gfn + i);
    xenfork__walk_note(walk, present, n);
    return rc;
}

static int scan(xenfork_ctx *ctx, uint32_t domid, struct xenfork__pages *pages)
{
    struct xenfork__walk walk = {0};
    struct xenfork__dominfo info;
    uint64_t max_gfn, ram;
    uint32_t n;
    int rc;

    if ((rc = xenfork__xen_max_gfn(ctx, domid, &max_gfn)) < 0 ||
        (rc = xenfork__xen_ram_pages(ctx, domid, &ram)) < 0 ||
        (rc = xenfork__xen_info(ctx, domid, &info)) < 0 ||
        (rc = xenfork__pages_count(ctx, &info, &walk.counted)) < 0)
        return rc;
    pages->max_gfn = max_gfn;
    walk.end = max_gfn + 1;
    walk.limit = ram + XENFORK__WALK_SLACK;
    /* Up to there pages may come, which are not above max_gfn. */
    pages->end = round_up(walk.end < walk.limit ? walk.end : walk.limit);
    if ((rc = make_gfn_room(ctx, pages, pages->end)) < 0)
        return rc;
    while ((n = xenfork__walk_next(&walk, SCAN_BATCH)))
        if ((rc = scan_batch(ctx, domid, &walk, n, pages)) < 0)
            return rc;
    if (!xenfork__walk_is_short(&walk))
        return 0;
    xenfork__fail(ctx, XENFORK_E_HYPERVISOR, 0,
                  "domain %u has mapped memory too far up, at page %llx", domid,
                  (unsigned long long)max_gfn);
    return xenfork__remedy(
        ctx,
        "fork it right after it has been started again; if it does the same "
        "then, it cannot be forked");
}

/* Return how many pages Xen counts now. */
static int counted(xenfork_ctx *ctx, uint32_t domid, uint64_t *count_out)
{
    struct xenfork__dominfo info;
    int rc = xenfork__xen_info(ctx, domid, &info);

    if (rc == 0)
        *count_out = info.private_pages + info.shared_pages;
    return rc;
}

/*
 * Scan the guest's pages.  A guest that gives memory back meanwhile, or takes
 * some, is scanned again.  Xen counts fewer pages than there are: some of its
 * own are in every guest.
 */
int xenfork__pages_scan(xenfork_ctx *ctx, uint32_t domid,
                        struct xenfork__pages *pages_out)
{
    cleanup_pages struct xenfork__pages pages = {0};
    uint64_t before = 0, after = 0, seen;
    int rc, tries = 0;

    do {
        xenfork__pages_free(&pages);
        if ((rc = counted(ctx, domid, &before)) < 0 ||
            (rc = scan(ctx, domid, &pages)) < 0 ||
            (rc = counted(ctx, domid, &after)) < 0)
            return rc;
    } while (before != after && ++tries < SCANS);
    seen = count(pages.known, pages.end);
    pages.is_unsettled = before != after || seen < after;
    pages.extra = pages.is_unsettled ? 0 : seen - after;
    *pages_out = pages;
    pages = (struct xenfork__pages){0};
    return 0;
}

void xenfork__pages_written(struct xenfork__pages *pages,
                            const uint64_t *written)
{
    uint64_t i;

    for (i = 0; i < pages->end / 64; i++) {
        pages->known[i] |= written[i];
        pages->due[i] |= written[i];
    }
}

int xenfork__pages_are_all(xenfork_ctx *ctx, uint32_t domid,
                           const struct xenfork__pages *pages, bool *are_out)
{
    uint64_t now = 0, max_gfn = 0;
    int rc;

    if ((rc = counted(ctx, domid, &now)) < 0 ||
        (rc = xenfork__xen_max_gfn(ctx, domid, &max_gfn)) < 0)
        return rc;
    *are_out = !pages->is_unsettled && max_gfn <= pages->max_gfn &&
               count(pages->known, pages->end) == now + pages->extra;
    return 0;
}

uint64_t xenfork__pages_due(const struct xenfork__pages *pages)
{
    return count(pages->due, pages->end);
}

/* Some pages, in the order of gfns. */
struct batch {
    uint32_t count;
    uint64_t gfns[XENFORK__BATCH];
    uint64_t handles[XENFORK__BATCH];
};

/* Fill a batch with pages that are due, from @gfn on; return the next gfn. */
static uint64_t next_batch(const struct xenfork__pages *pages, uint64_t gfn,
                           struct batch *batch)
{
    batch->count = 0;
    while (gfn < pages->end && batch->count < XENFORK__BATCH) {
        uint64_t left = pages->due[gfn / 64] >> gfn % 64;

        if (!left) {
            gfn = (gfn / 64 + 1) * 64;
            continue;
        }
        gfn += (uint64_t)__builtin_ctzll(left);
        batch->gfns[batch->count++] = gfn++;
    }
    return gfn;
}

/* Nominate them; only those that can be shared stay in the batch. */
static int nominate(xenfork_ctx *ctx, const struct xenfork__sharing *sharing,
                    struct batch *batch)
{
    uint32_t i, n = 0;
    int rc = xenfork__xen_nominate(ctx, sharing->source, batch->gfns,
                                   batch->count, batch->handles);

    for (i = 0; i < batch->count && rc == 0; i++)
        if (batch->handles[i]) {
            batch->gfns[n] = batch->gfns[i];
            batch->handles[n++] = batch->handles[i];
        }
    if (rc == 0)
        batch->count = n;
    return rc;
}

/*
 * Nominate pages of a source that runs.  When it then writes to a page that the
 * image shares, that takes memory, to which it has the right before it runs on.
 */
static int nominate_running(xenfork_ctx *ctx, struct xenfork__sharing *sharing,
                            struct batch *batch)
{
    uint64_t start_ns = xenfork__now_ns();
    int rc, r;

    if ((rc = xenfork__xen_pause_vcpus(ctx, sharing->source)) < 0)
        return rc;
    rc = nominate(ctx, sharing, batch);
    if (rc == 0)
        rc = xenfork__reservation_follow(ctx, sharing->image, sharing->source,
                                         sharing->reservation);
    r = xenfork__xen_unpause_vcpus(ctx, sharing->source);
    sharing->pauses_ns += xenfork__now_ns() - start_ns;
    return rc < 0 ? rc : r;
}

/* Take those out of the image that it has. */
static int drop_held(xenfork_ctx *ctx, const struct xenfork__sharing *sharing,
                     const uint64_t *gfns, uint32_t n)
{
    uint64_t *held = sharing->pages->held;
    uint64_t drop[XENFORK__BATCH];
    uint32_t i, left = 0;
    int rc;

    for (i = 0; i < n; i++)
        if (has_bit(held, gfns[i]))
            drop[left++] = gfns[i];
    if (!left || (rc = xenfork__xen_drop(ctx, sharing->image, drop, left)) < 0)
        return left ? rc : 0;
    for (i = 0; i < left; i++)
        clear(held, drop[i]);
    xenfork__count(ctx, XENFORK_COUNT_PAGES_AGAIN, left);
    return 0;
}

static int share_batch(xenfork_ctx *ctx, struct xenfork__sharing *sharing,
                       struct batch *batch)
{
    struct xenfork__pages *pages = sharing->pages;
    bool is_shared[XENFORK__BATCH];
    uint32_t i;
    int rc = xenfork__reservation_records(ctx, sharing->image, batch->count,
                                          sharing->reservation);

    if (rc == 0)
        rc = sharing->is_running ? nominate_running(ctx, sharing, batch)
                                 : nominate(ctx, sharing, batch);
    if (rc < 0 || !batch->count ||
        (rc = drop_held(ctx, sharing, batch->gfns, batch->count)) < 0 ||
        (rc = xenfork__xen_share(ctx, sharing->source, sharing->image,
                                 batch->gfns, batch->handles, batch->count,
                                 is_shared)) < 0)
        return rc;
    for (i = 0; i < batch->count; i++)
        if (is_shared[i]) {
            set_bit(pages->held, batch->gfns[i]);
            clear(pages->due, batch->gfns[i]);
        }
    return 0;
}

/* Leave a running source alone for as long as the pace says. */
static int rest(xenfork_ctx *ctx, const struct xenfork__sharing *sharing,
                uint64_t work_ns)
{
    uint64_t end_ns = xenfork__now_ns() +
                      work_ns * sharing->pace / (100 - sharing->pace);

    if (!sharing->is_running)
        return 0;
    while (!xenfork__is_cancelled(ctx) && xenfork__sleep_towards(end_ns))
        ;
    return xenfork__is_cancelled(ctx)
               ? xenfork__enter(ctx, ctx->stage, XENFORK_ALL, 0)
               : 0;
}

int xenfork__pages_share(xenfork_ctx *ctx, struct xenfork__sharing *sharing)
{
    struct xenfork__pages *pages = sharing->pages;
    uint64_t total = xenfork__pages_due(pages), step = total / 100 + 1;
    uint64_t gfn, done = 0, shown = 0;
    struct batch batch;
    int rc = 0;

    for (gfn = 0; (gfn = next_batch(pages, gfn, &batch)), batch.count;) {
        uint64_t start_ns = xenfork__now_ns(), work_ns;

        done += batch.count;
        rc = share_batch(ctx, sharing, &batch);
        work_ns = xenfork__now_ns() - start_ns;
        sharing->work_ns += work_ns;
        if (rc < 0 || (rc = rest(ctx, sharing, work_ns)) < 0)
            return rc;
        if (done >= shown + step) {
            shown = done;
            xenfork__progress(ctx, XENFORK_ALL, shown, total);
        }
    }
    return 0;
}

/* Copy those that hold memory; the others have gone. */
static int copy_batch(xenfork_ctx *ctx, const struct xenfork__sharing *sharing,
                      struct batch *batch)
{
    struct xenfork__pages *pages = sharing->pages;
    bool is_present[XENFORK__BATCH];
    uint32_t i, left = 0;
    int rc;

    if ((rc = drop_held(ctx, sharing, batch->gfns, batch->count)) < 0 ||
        (rc = xenfork__xen_present_at(ctx, sharing->source, batch->gfns,
                                      batch->count, is_present)) < 0)
        return rc;
    for (i = 0; i < batch->count; i++) {
        uint64_t gfn = batch->gfns[i];

        clear(pages->due, gfn);
        if (is_present[i])
            batch->gfns[left++] = gfn;
        else
            clear(pages->known, gfn);
    }
    if (!left)
        return 0;
    rc = xenfork__xen_copy(ctx, sharing->source, sharing->image, batch->gfns,
                           left);
    xenfork__reservation_copied(sharing->reservation, left);
    for (i = 0; i < left && rc == 0; i++)
        set_bit(pages->held, batch->gfns[i]);
    if (rc == 0)
        xenfork__count(ctx, XENFORK_COUNT_PAGES_COPIED, left);
    return rc;
}

static int share_and_copy(xenfork_ctx *ctx, struct xenfork__sharing *sharing)
{
    struct batch batch;
    uint64_t gfn;
    int rc = xenfork__pages_share(ctx, sharing);

    for (gfn = 0; rc == 0;) {
        gfn = next_batch(sharing->pages, gfn, &batch);
        if (!batch.count)
            return 0;
        rc = copy_batch(ctx, sharing, &batch);
    }
    return rc;
}

/* Replace the list by a new one; what the image holds too much is due, too. */
static int look_again(xenfork_ctx *ctx, uint32_t source,
                      struct xenfork__pages *pages)
{
    cleanup_pages struct xenfork__pages now = {0};
    uint64_t i;
    int rc = xenfork__pages_scan(ctx, source, &now);

    if (rc == 0 && now.room < pages->room)
        rc = make_gfn_room(ctx, &now, pages->room);
    if (rc < 0)
        return rc;
    if (now.end < pages->end)
        now.end = pages->end;
    for (i = 0; i < pages->end / 64; i++) {
        now.held[i] = pages->held[i];
        now.due[i] = now.known[i] ^ pages->held[i];
    }
    LOG_DEBUG(ctx, "domain %u: %llu pages have come or gone", source,
              (unsigned long long)xenfork__pages_due(&now));
    xenfork__pages_free(pages);
    *pages = now;
    now = (struct xenfork__pages){0};
    return 0;
}

int xenfork__pages_complete(xenfork_ctx *ctx, struct xenfork__sharing *sharing)
{
    struct xenfork__pages *pages = sharing->pages;
    bool is_all = false;
    int rc;

    if ((rc = share_and_copy(ctx, sharing)) < 0 ||
        (rc = xenfork__pages_are_all(ctx, sharing->source, pages, &is_all)) < 0)
        return rc;
    if (!is_all && ((rc = look_again(ctx, sharing->source, pages)) < 0 ||
                    (rc = share_and_copy(ctx, sharing)) < 0))
        return rc;
    xenfork__count(ctx, XENFORK_COUNT_PAGES_SHARED,
                   count(pages->held, pages->end) -
                       ctx->counters[XENFORK_COUNT_PAGES_COPIED]);
    return 0;
}

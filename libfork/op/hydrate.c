/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Hydration: looking at a page of a fork makes Xen put in a shared entry for
 * it.  When every page is there the clone needs its image no more.
 */
#include "op/hydrate.h"

#include <string.h>

#include "base/ids.h"
#include "op/claims.h"
#include "op/domain.h"
#include "op/named.h"
#include "op/walk.h"

#define BATCH        1024U
#define HOLES_A_PAGE 64U /* that cost as much as a page */

int xenfork__hydrate_lock(xenfork_ctx *ctx, const char *journal,
                          bool is_waiting, struct xenfork__lock **lock_out)
{
    char name[sizeof("hydrate-") + XENFORK__UUID_CHARS];

    snprintf(name, sizeof(name), "hydrate-%s", journal);
    return xenfork__lock_take(ctx, name, is_waiting, lock_out);
}

static int pace_pages(xenfork_ctx *ctx, uint64_t start_ns, uint64_t done,
                      uint32_t pages_per_second)
{
    uint64_t due_ns;
    int rc = 0;

    if (!pages_per_second)
        return 0;
    due_ns = start_ns + done * 1000000000U / pages_per_second;
    while (rc == 0 && xenfork__sleep_towards(due_ns))
        rc = xenfork__enter(ctx, XENFORK_STAGE_HYDRATE, 0, 0);
    return rc;
}

/*
 * Save the record, unless the clone was destroyed meanwhile, or is another
 * domain by now: NOTFOUND.
 */
static int save_percent(xenfork_ctx *ctx, struct xenfork__record *clone,
                        uint32_t percent)
{
    cleanup_lock struct xenfork__lock *lock = NULL;
    cleanup_record struct xenfork__record *now = NULL;
    int rc;

    if ((rc = xenfork__lock_take(ctx, XENFORK__LOCK_REGISTRY, true, &lock)) <
            0 ||
        (rc = xenfork__record_load(ctx, XENFORK_KIND_CLONE, clone->uuid,
                                   &now)) < 0)
        return rc;
    if (!xenfork__record_has_domid(ctx, now, clone->domid))
        return xenfork__miss(ctx, XENFORK_E_NOTFOUND,
                             "%s is another domain by now", now->name);
    clone->hydrated = percent;
    /* Two may be at it. */
    if (now->hydrated >= percent)
        return 0;
    now->hydrated = percent;
    return xenfork__record_save(ctx, now);
}

/* Record every twentieth part of the way; the end only when it is true. */
static int save_progress(xenfork_ctx *ctx, struct xenfork__record *clone,
                         uint64_t done, uint64_t total)
{
    uint32_t percent = (uint32_t)(done * 99 / total);

    xenfork__progress(ctx, 0, done, total);
    return percent < clone->hydrated + 5 ? 0
                                         : save_percent(ctx, clone, percent);
}

static int lost_image(xenfork_ctx *ctx, const struct xenfork__record *clone)
{
    xenfork__fail(ctx, XENFORK_E_NOTRUNNING, 0,
                  "the image of clone %s is lost, and %u%% of its memory had "
                  "been taken over",
                  clone->name, clone->hydrated);
    return xenfork__remedy(ctx, "destroy the clone (xl fork-destroy %s)",
                           clone->name);
}

/* Begin a walk over the image's memory: all else the clone has itself. */
static int begin_walk(xenfork_ctx *ctx, const struct xenfork__record *clone,
                      struct xenfork__walk *walk, uint32_t *image_out)
{
    cleanup_record struct xenfork__record *image = NULL;
    struct xenfork__dominfo info;
    uint64_t max_gfn;
    int rc = xenfork__record_load(ctx, XENFORK_KIND_IMAGE, clone->parent,
                                  &image);

    if (rc == 0)
        rc = xenfork__record_info(ctx, image, &info);
    if (rc == XENFORK_E_NOTFOUND)
        return lost_image(ctx, clone);
    if (rc < 0 || (rc = xenfork__xen_max_gfn(ctx, image->domid, &max_gfn)) < 0)
        return rc;
    *image_out = image->domid;
    *walk = (struct xenfork__walk){
        .counted = info.private_pages + info.shared_pages, .end = max_gfn + 1};
    return 0;
}

/* Return the first page that the image has and the clone has not; n: none. */
static uint32_t find_missing(const bool *image, const bool *clone, uint32_t n)
{
    uint32_t i;

    for (i = 0; i < n && (!image[i] || clone[i]); i++)
        ;
    return i;
}

static int no_page(xenfork_ctx *ctx, const struct xenfork__record *clone,
                   uint64_t gfn)
{
    xenfork__fail(ctx, XENFORK_E_HOSTMEM, 0,
                  "no memory for page %llx of clone %s, which its image has",
                  (unsigned long long)gfn, clone->name);
    return xenfork__remedy(ctx,
                           "free memory, and hydrate the clone again "
                           "(xl fork-hydrate %s)",
                           clone->name);
}

/* Look at all that the image has among the next pages. */
static int hydrate_batch(xenfork_ctx *ctx, const struct xenfork__record *clone,
                         uint32_t image, struct xenfork__walk *walk, uint32_t n)
{
    bool wanted[BATCH], present[BATCH];
    uint32_t missing;
    int rc = xenfork__xen_present(ctx, image, walk->gfn, n, wanted);

    if (rc == 0 && memchr(wanted, true, n)) {
        rc = xenfork__xen_present(ctx, clone->domid, walk->gfn, n, present);
        if (rc == 0 && (missing = find_missing(wanted, present, n)) < n)
            rc = no_page(ctx, clone, walk->gfn + missing);
    }
    if (rc == 0)
        xenfork__walk_note(walk, wanted, n);
    return rc;
}

static int walk_image(xenfork_ctx *ctx, struct xenfork__record *clone,
                      uint32_t pages_per_second)
{
    uint64_t start_ns = xenfork__now_ns();
    struct xenfork__walk walk;
    uint32_t n, image = XENFORK_DOMID_NONE;
    int rc = begin_walk(ctx, clone, &walk, &image);

    if (rc < 0)
        return rc;
    while ((n = xenfork__walk_next(&walk, BATCH)))
        if ((rc = xenfork__enter(ctx, XENFORK_STAGE_HYDRATE, 0, 0)) < 0 ||
            (rc = hydrate_batch(ctx, clone, image, &walk, n)) < 0 ||
            (rc = save_progress(ctx, clone,
                                walk.seen < walk.counted ? walk.seen
                                                         : walk.counted,
                                walk.counted ? walk.counted : 1)) < 0 ||
            (rc = pace_pages(ctx, start_ns,
                             walk.seen + walk.holes / HOLES_A_PAGE,
                             pages_per_second)) < 0)
            return rc;
    if (!xenfork__walk_is_short(&walk))
        return 0;
    return xenfork__fail(
        ctx, XENFORK_E_XEN, 0, "domain %u: %llu of %llu pages are found", image,
        (unsigned long long)walk.seen, (unsigned long long)walk.counted);
}

int xenfork__hydrate(xenfork_ctx *ctx, struct xenfork__record *clone,
                     uint32_t pages_per_second)
{
    int rc = 0;

    if (clone->hydrated < 100)
        rc = walk_image(ctx, clone, pages_per_second);
    if (rc == 0)
        rc = xenfork__uncover(ctx, clone);
    return rc < 0 ? rc : save_percent(ctx, clone, 100);
}

int xenfork__hydrate_check(xenfork_ctx *ctx,
                           const struct xenfork__record *clone)
{
    if (clone->hydrate != XENFORK__HYDRATE_NEVER || clone->hydrated == 100)
        return 0;
    xenfork__fail(ctx, XENFORK_E_INUSE, 0,
                  "clone %s needs its image %s, and was made with "
                  "--hydrate=never",
                  clone->name, clone->parent_name);
    return xenfork__remedy(
        ctx, "hydrate it (xl fork-hydrate %s), or destroy it", clone->name);
}

/* Do it for each clone that lives, and needs the image. */
static int each_user(xenfork_ctx *ctx, const struct xenfork__record *image,
                     const struct xenfork__records *clones,
                     int (*operate)(xenfork_ctx *ctx,
                                    struct xenfork__record *clone))
{
    struct xenfork__dominfo info;
    size_t i;
    int rc = 0;

    for (i = 0; i < clones->count && rc >= 0; i++) {
        struct xenfork__record *clone = clones->records[i];

        if (memcmp(clone->parent, image->uuid, 16) || clone->hydrated == 100)
            continue;
        rc = xenfork__record_info(ctx, clone, &info);
        if (rc == 0)
            rc = operate(ctx, clone);
        /* It has ended, or is another domain by now. */
        if (rc == XENFORK_E_NOTFOUND)
            rc = 0;
    }
    return rc;
}

static int check_user(xenfork_ctx *ctx, struct xenfork__record *clone)
{
    return xenfork__hydrate_check(ctx, clone);
}

static int hydrate_user(xenfork_ctx *ctx, struct xenfork__record *clone)
{
    return xenfork__hydrate(ctx, clone, 0);
}

int xenfork__hydrate_users(xenfork_ctx *ctx,
                           const struct xenfork__record *image)
{
    cleanup_records struct xenfork__records clones = {0};
    struct xenfork__dominfo info;
    int rc = xenfork__record_info(ctx, image, &info);

    /* Without it there is nothing to be had. */
    if (rc < 0)
        return rc == XENFORK_E_NOTFOUND ? 0 : rc;
    if ((rc = xenfork__records_load(ctx, XENFORK_KIND_CLONE, &clones)) < 0 ||
        (rc = each_user(ctx, image, &clones, check_user)) < 0)
        return rc;
    return each_user(ctx, image, &clones, hydrate_user);
}

/*
 * Check that a clone was restored as another domain, which never had an image.
 */
static int check_restored(xenfork_ctx *ctx, const struct xenfork__record *clone)
{
    uint32_t domid;
    int rc = xenfork__clone_domid(ctx, clone, &domid);

    if (rc != XENFORK_E_NOTFOUND)
        return rc;
    return xenfork__fail(ctx, XENFORK_E_NOTRUNNING, 0,
                         "clone %s has no domain here", clone->name);
}

XENFORK_API int xenfork_hydrate(xenfork_ctx *ctx, const char *name,
                                uint32_t pages_per_second)
{
    cleanup_record struct xenfork__record *clone = NULL;
    struct xenfork__dominfo info;
    int rc;

    xenfork__begin(ctx, XENFORK_DOMID_NONE);
    if (!name)
        return xenfork__fail(ctx, XENFORK_E_INVAL, 0, "no name");
    rc = xenfork__named(ctx, XENFORK_KIND_CLONE, name, &clone);
    if (rc < 0)
        return rc;
    rc = xenfork__record_info(ctx, clone, &info);
    if (rc == XENFORK_E_NOTFOUND)
        return check_restored(ctx, clone);
    if (rc < 0)
        return rc;
    ctx->domid = clone->domid;
    return xenfork__hydrate(ctx, clone, pages_per_second);
}

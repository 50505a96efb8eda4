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

#define BATCH 1024U /* gfns, a multiple of 64 */
#define WORDS (BATCH / 64)
#define LOOKS_A_PAGE                                        \
    64U /* at the image's gfns, that cost as much as a page \
         */

/* Gfns in a row, of which the image has some. */
struct row {
    uint64_t first;
    uint64_t bits[WORDS];
};

/*
 * The pages of the image that was last hydrated from.  They do not change, and
 * most of what is looked at to find them are holes.
 */
struct xenfork__found {
    uint8_t uuid[16];
    uint32_t domid;
    uint64_t counted; /* pages that Xen counts */
    uint32_t count, room;
    struct row rows[];
};

/* How far a clone is. */
struct course {
    struct xenfork__record *clone;
    uint32_t image;
    uint64_t start_ns;
    uint32_t pages_per_second;
    uint64_t done; /* pages */
};

int xenfork__hydrate_lock(xenfork_ctx *ctx, const char *journal,
                          bool is_waiting, struct xenfork__lock **lock_out)
{
    char name[sizeof("hydrate-") + XENFORK__UUID_CHARS];

    snprintf(name, sizeof(name), "hydrate-%s", journal);
    return xenfork__lock_take(ctx, name, is_waiting, lock_out);
}

/* Wait as long as so much may take since the start. */
static int pace(xenfork_ctx *ctx, const struct course *course, uint64_t pages)
{
    uint64_t due_ns;
    int rc = 0;

    if (!course->pages_per_second)
        return 0;
    due_ns = course->start_ns + pages * 1000000000U / course->pages_per_second;
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
    uint32_t percent;

    /* Xen does not count each special page. */
    total = total > done ? total : done;
    percent = (uint32_t)(done * 99 / total);
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

/* Append a row to what is found. */
static int append(xenfork_ctx *ctx, uint64_t first, const bool *present,
                  uint32_t n)
{
    struct xenfork__found *found = ctx->found;
    struct row *row;
    uint32_t i;

    if (found->count == found->room) {
        found->room += found->room / 2 + 16;
        found = realloc(found,
                        sizeof(*found) + found->room * sizeof(found->rows[0]));
        if (!found)
            return xenfork__nomem(ctx);
        ctx->found = found;
    }
    row = &found->rows[found->count++];
    *row = (struct row){.first = first};
    for (i = 0; i < n; i++)
        row->bits[i / 64] |= (uint64_t)present[i] << i % 64;
    return 0;
}

/* Look at all of the image's memory. */
static int scan_image(xenfork_ctx *ctx, struct course *course,
                      struct xenfork__walk *walk)
{
    bool present[BATCH];
    uint32_t n;
    int rc;

    while ((n = xenfork__walk_next(walk, BATCH))) {
        if ((rc = xenfork__enter(ctx, XENFORK_STAGE_HYDRATE, 0, 0)) < 0 ||
            (rc = xenfork__xen_present(ctx, course->image, walk->gfn, n,
                                       present)) < 0 ||
            (memchr(present, true, n) &&
             (rc = append(ctx, walk->gfn, present, n)) < 0))
            return rc;
        xenfork__walk_note(walk, present, n);
        xenfork__progress(ctx, 0, 0, walk->counted);
        rc = pace(ctx, course, (walk->seen + walk->holes) / LOOKS_A_PAGE);
        if (rc < 0)
            return rc;
    }
    if (!xenfork__walk_is_short(walk))
        return 0;
    return xenfork__fail(ctx, XENFORK_E_XEN, 0,
                         "domain %u: %llu of %llu pages are found",
                         course->image, (unsigned long long)walk->seen,
                         (unsigned long long)walk->counted);
}

static int look_anew(xenfork_ctx *ctx, struct course *course,
                     const struct xenfork__record *image, uint64_t counted)
{
    struct xenfork__walk walk = {.counted = counted};
    int rc = xenfork__xen_max_gfn(ctx, image->domid, &walk.end);

    walk.end++;
    xenfork__hydrate_forget(ctx);
    if (rc < 0)
        return rc;
    ctx->found = calloc(1, sizeof(*ctx->found));
    if (!ctx->found)
        return xenfork__nomem(ctx);
    memcpy(ctx->found->uuid, image->uuid, sizeof(ctx->found->uuid));
    ctx->found->counted = counted;
    ctx->found->domid = image->domid;
    rc = scan_image(ctx, course, &walk);
    if (rc < 0)
        xenfork__hydrate_forget(ctx);
    else
        course->done = (walk.seen + walk.holes) / LOOKS_A_PAGE;
    return rc;
}

/* Find what the image has, unless it was found for the clone before. */
static int find_pages(xenfork_ctx *ctx, struct course *course)
{
    cleanup_record struct xenfork__record *image = NULL;
    const struct xenfork__found *found = ctx->found;
    struct xenfork__dominfo info;
    uint64_t counted;
    int rc = xenfork__record_load(ctx, XENFORK_KIND_IMAGE,
                                  course->clone->parent, &image);

    if (rc == 0)
        rc = xenfork__record_info(ctx, image, &info);
    if (rc < 0)
        return rc == XENFORK_E_NOTFOUND ? lost_image(ctx, course->clone) : rc;
    course->image = image->domid;
    counted = info.private_pages + info.shared_pages;
    if (found && found->domid == image->domid && found->counted == counted &&
        !memcmp(found->uuid, image->uuid, sizeof(found->uuid)))
        return 0;
    return look_anew(ctx, course, image, counted);
}

/* Return the first page of the row that the clone has not; BATCH: none. */
static uint32_t find_missing(const struct row *row, const bool *clone)
{
    uint32_t i;

    for (i = 0; i < BATCH; i++)
        if (row->bits[i / 64] >> i % 64 & 1 && !clone[i])
            break;
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

/* Look at all that the image has of a row, up to its last page. */
static int hydrate_row(xenfork_ctx *ctx, struct course *course,
                       const struct row *row)
{
    bool present[BATCH] = {false};
    uint32_t i, n = 0, missing;
    int rc;

    for (i = 0; i < WORDS; i++)
        if (row->bits[i]) {
            n = i * 64 + 64 - (uint32_t)__builtin_clzll(row->bits[i]);
            course->done += (uint64_t)__builtin_popcountll(row->bits[i]);
        }
    rc = xenfork__xen_present(ctx, course->clone->domid, row->first, n,
                              present);
    if (rc == 0 && (missing = find_missing(row, present)) < BATCH)
        rc = no_page(ctx, course->clone, row->first + missing);
    return rc;
}

static int walk_image(xenfork_ctx *ctx, struct xenfork__record *clone,
                      uint32_t pages_per_second)
{
    struct course course = {.clone = clone,
                            .start_ns = xenfork__now_ns(),
                            .pages_per_second = pages_per_second};
    uint64_t seen;
    uint32_t i;
    int rc = find_pages(ctx, &course);

    seen = course.done;
    for (i = 0; rc == 0 && i < ctx->found->count; i++)
        if ((rc = xenfork__enter(ctx, XENFORK_STAGE_HYDRATE, 0, 0)) == 0 &&
            (rc = hydrate_row(ctx, &course, &ctx->found->rows[i])) == 0 &&
            (rc = save_progress(ctx, clone, course.done - seen,
                                ctx->found->counted)) == 0)
            rc = pace(ctx, &course, course.done);
    return rc;
}

void xenfork__hydrate_forget(xenfork_ctx *ctx)
{
    free(ctx->found);
    ctx->found = NULL;
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

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Memory of its own for a clone that runs. */
#include "op/detach.h"

#include "op/hydrate.h"
#include "op/rollback.h"
#include "op/walk.h"
#include "xen/xen.h"

#define STEP_GFNS (64 * XENFORK__BATCH) /* of a hole, between two looks */

/*
 * Reserve all memory that the clone is still to get, so that no page is refused
 * half-way; a journal gives it back.
 */
static int claim_missing(xenfork_ctx *ctx, const struct xenfork__detaching *job,
                         uint32_t domid, const struct xenfork__dominfo *info,
                         struct xenfork__journal **journal_out)
{
    int rc;

    if ((rc = xenfork__journal_begin(ctx, journal_out)) < 0 ||
        (rc = xenfork__journal_reserve(ctx, *journal_out, job->clone->uuid,
                                       info->private_pages +
                                           info->claimed_pages)) < 0)
        return rc;
    rc = xenfork__xen_claim(ctx, domid,
                            info->private_pages + info->shared_pages);
    if (rc == XENFORK_E_HOSTMEM)
        xenfork__remedy(
            ctx,
            "free memory: a detached clone needs all of its memory for itself");
    return rc;
}

/*
 * Give the reservation back; if that fails now, the journal stays, and is found
 * again.
 */
static void adjust_claim(xenfork_ctx *ctx, struct xenfork__journal *journal)
{
    keep_error struct xenfork__kept kept = xenfork__keep(ctx);

    if (journal && xenfork__journal_rollback(ctx, journal) < 0)
        LOG_WARN(ctx, "memory stays reserved until the next fork, ignoring");
}

/* Unshare one batch of gfns: those that have memory; found_out: how many. */
static int unshare(xenfork_ctx *ctx, uint32_t domid, struct xenfork__walk *walk,
                   uint32_t count, uint32_t *found_out)
{
    uint64_t gfns[XENFORK__BATCH];
    bool present[XENFORK__BATCH];
    uint32_t i, n = 0;
    int rc = xenfork__xen_present(ctx, domid, walk->gfn, count, present);

    if (rc < 0)
        return rc;
    for (i = 0; i < count; i++)
        if (present[i])
            gfns[n++] = walk->gfn + i;
    xenfork__walk_note(walk, present, count);
    *found_out = n;
    return n ? xenfork__xen_unshare(ctx, domid, gfns, n) : 0;
}

/*
 * Count the bytes that were unshared since *shared; pages that were its own
 * took no time.
 */
static int count_moved(xenfork_ctx *ctx, uint32_t domid, uint64_t *shared,
                       uint64_t *moved_out)
{
    struct xenfork__dominfo now;
    int rc = xenfork__xen_info(ctx, domid, &now);

    if (rc < 0)
        return rc;
    *moved_out = 0;
    if (now.shared_pages < *shared)
        *moved_out = (*shared - now.shared_pages) * XENFORK__PAGE_SIZE;
    *shared = now.shared_pages;
    return 0;
}

/* Unshare until nothing is shared any more, by Xen's count. */
static int unshare_all(xenfork_ctx *ctx, struct xenfork__detaching *job,
                       uint32_t domid, const struct xenfork__dominfo *before)
{
    struct xenfork__walk walk = {.counted = before->private_pages +
                                            before->shared_pages};
    uint64_t max_gfn, moved, shared = before->shared_pages;
    uint32_t count;
    int rc = xenfork__xen_max_gfn(ctx, domid, &max_gfn);

    if (rc < 0)
        return rc;
    walk.end = max_gfn + 1;
    while (shared && (count = xenfork__walk_next(&walk, XENFORK__BATCH))) {
        uint32_t n = 0;

        if ((rc = unshare(ctx, domid, &walk, count, &n)) < 0)
            return rc;
        if (!n && walk.gfn % STEP_GFNS && walk.gfn < walk.end)
            continue; /* a hole */
        if ((rc = count_moved(ctx, domid, &shared, &moved)) < 0 ||
            (rc = xenfork__detach_step(ctx, job, walk.seen, job->clone->pages,
                                       moved)) < 0)
            return rc;
    }
    return 0;
}

int xenfork__detach_memory(xenfork_ctx *ctx, struct xenfork__detaching *job,
                           uint32_t domid)
{
    struct xenfork__dominfo before, after;
    struct xenfork__journal *journal = NULL;
    int rc;

    /* A forked page that has not come yet is in neither count. */
    if ((rc = xenfork__hydrate(ctx, job->clone, 0)) < 0 ||
        (rc = xenfork__xen_info(ctx, domid, &before)) < 0 ||
        !before.shared_pages)
        return rc;
    rc = claim_missing(ctx, job, domid, &before, &journal);
    if (rc == 0)
        rc = unshare_all(ctx, job, domid, &before);
    adjust_claim(ctx, journal);
    if (rc < 0 || (rc = xenfork__xen_info(ctx, domid, &after)) < 0)
        return rc;
    if (!after.shared_pages)
        return 0;
    xenfork__fail(ctx, XENFORK_E_HOSTMEM, 0,
                  "domain %u: %llu of its pages are still shared", domid,
                  (unsigned long long)after.shared_pages);
    return xenfork__remedy(ctx, "free memory, unless it has been forked "
                                "meanwhile, and try again");
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "op/claims.h"

#include <string.h>

#include "base/ids.h"
#include "op/orphans.h"
#include "op/reserve.h"
#include "state/journal.h"
#include "state/lock.h"
#include "xen/xen.h"

/* Find an image of this source other than @except. */
static bool has_image(const struct xenfork__records *images,
                      const uint8_t source[16], const uint8_t *except)
{
    size_t i;

    for (i = 0; i < images->count; i++)
        if (xenfork__record_has_source(images->records[i], source) &&
            (!except || memcmp(images->records[i]->uuid, except, 16)))
            return true;
    return images->unreadable;
}

/* Tell whether anybody but the image @except shares the pages of a source. */
static int is_shared(xenfork_ctx *ctx, const uint8_t source[16],
                     const uint8_t *except, bool *is_out)
{
    cleanup_records struct xenfork__records images = {0}, clones = {0};
    size_t i;
    int rc;

    if ((rc = xenfork__records_load(ctx, XENFORK_KIND_IMAGE, &images)) < 0)
        return rc;
    *is_out = has_image(&images, source, except);
    if (*is_out)
        return 0;
    rc = xenfork__records_load(ctx, XENFORK_KIND_CLONE, &clones);
    *is_out = clones.unreadable;
    for (i = 0; i < clones.count && rc == 0 && !*is_out; i++)
        if (xenfork__record_has_source(clones.records[i], source))
            rc = xenfork__clone_shares(ctx, clones.records[i], is_out);
    return rc;
}

static uint64_t lower_of(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/*
 * Reserve all that a source shares.  One that waits when it finds no memory
 * keeps what it has: xenforkd sees to that.
 */
static int adjust_source(xenfork_ctx *ctx, const struct xenfork__dominfo *info)
{
    bool heard;
    int rc = xenfork__source_is_heard(ctx, info, &heard);

    if (rc < 0)
        return rc;
    return xenfork__reserve_more(
        ctx, info->domid,
        heard ? lower_of(info->claimed_pages, info->shared_pages)
              : info->shared_pages);
}

/*
 * Return what a clone has in reserve for itself: once hydrated, what is left of
 * its own; before, all that it lacks (see xenfork__cover()).  Pages of its own
 * that a fork of it has shared come back to it without memory.
 */
static uint64_t clone_reserve(const struct xenfork__record *clone,
                              const struct xenfork__dominfo *info,
                              bool is_hydrated)
{
    uint64_t own = clone->owned > info->private_pages
                       ? clone->owned - info->private_pages
                       : 0;
    uint64_t lacks = clone->pages > info->private_pages
                         ? clone->pages - info->private_pages
                         : 0;

    own = lower_of(own, clone->reserved);
    return is_hydrated || own > lacks ? own : lacks;
}

/* Return the same for any domain: none for one that is no clone. */
static int own_reserve(xenfork_ctx *ctx, const struct xenfork__dominfo *info,
                       uint64_t *pages_out)
{
    cleanup_record struct xenfork__record *clone = NULL;
    int rc = xenfork__record_load(ctx, XENFORK_KIND_CLONE, info->uuid, &clone);

    *pages_out = 0;
    if (rc < 0)
        return rc == XENFORK_E_NOTFOUND ? 0 : rc;
    if (xenfork__record_has_domid(ctx, clone, info->domid))
        *pages_out = clone_reserve(clone, info, clone->hydrated == 100);
    return 0;
}

/* Reduce a domain's reservation to its own. */
static int give_back(xenfork_ctx *ctx, const struct xenfork__dominfo *info)
{
    uint64_t own;
    int rc = own_reserve(ctx, info, &own);

    if (rc < 0 || own >= info->claimed_pages)
        return rc;
    return xenfork__reserve_more(ctx, info->domid, own);
}

int xenfork__claim_adjust(xenfork_ctx *ctx, const uint8_t source[16],
                          const uint8_t *except)
{
    struct xenfork__dominfo info;
    uint32_t domid;
    bool is;
    int rc;

    rc = xenfork__xen_by_uuid(ctx, source, &domid);
    if (rc < 0)
        return rc == XENFORK_E_NOTFOUND ? 0 : rc;
    if ((rc = is_shared(ctx, source, except, &is)) < 0 ||
        (rc = xenfork__xen_info(ctx, domid, &info)) < 0)
        return rc;
    return is ? adjust_source(ctx, &info) : give_back(ctx, &info);
}

/* A search of the journals for those that change a domain's reservation. */
struct search {
    char uuid[XENFORK__UUID_CHARS];
    bool is_found;
};

static int look_for_claim(xenfork_ctx *ctx,
                          const struct xenfork__keyfile *keyfile, void *opaque)
{
    static const char *const keys[] = {"source", "reserve", "reset", "start"};
    struct search *search = opaque;
    size_t i;

    (void)ctx;
    for (i = 0; i < ARRAY_SIZE(keys); i++) {
        const char *text = xenfork__keyfile_get(keyfile, keys[i]);

        search->is_found |= text && !strcmp(text, search->uuid);
    }
    return 0;
}

/* Have a source give back what it has in reserve, if nobody needs it. */
static int release_one(xenfork_ctx *ctx, const uint8_t source[16],
                       const uint8_t *except)
{
    cleanup_lock struct xenfork__lock *lock = NULL;
    struct search search = {.is_found = false};
    struct xenfork__dominfo info;
    uint32_t domid;
    bool is;
    int rc;

    xenfork__uuid_print(source, search.uuid);
    rc = xenfork__xen_by_uuid(ctx, source, &domid);
    if (rc == 0)
        rc = xenfork__xen_info(ctx, domid, &info);
    if (rc < 0 || !info.claimed_pages)
        return rc == XENFORK_E_NOTFOUND ? 0 : rc;
    if ((rc = xenfork__journals_each(ctx, look_for_claim, &search)) < 0 ||
        search.is_found)
        return rc;
    if ((rc = xenfork__lock_take(ctx, search.uuid, false, &lock)) < 0 ||
        (rc = xenfork__journals_each(ctx, look_for_claim, &search)) < 0 ||
        search.is_found || (rc = is_shared(ctx, source, except, &is)) < 0 ||
        is || (rc = xenfork__xen_info(ctx, domid, &info)) < 0)
        return rc;
    return give_back(ctx, &info);
}

int xenfork__claims_release(xenfork_ctx *ctx,
                            const struct xenfork__record *gone)
{
    uint32_t i;
    int rc = 0;

    for (i = 0; i < gone->source_count; i++) {
        int r = release_one(ctx, gone->sources[i],
                            gone->kind == XENFORK_KIND_IMAGE ? gone->uuid
                                                             : NULL);

        rc = rc < 0 ? rc : r;
    }
    return rc;
}

int xenfork__claims_sweep(xenfork_ctx *ctx)
{
    cleanup_records struct xenfork__records images = {0}, clones = {0};
    bool does;
    size_t i;
    int rc;

    if ((rc = xenfork__records_load(ctx, XENFORK_KIND_IMAGE, &images)) < 0 ||
        (rc = xenfork__records_load(ctx, XENFORK_KIND_CLONE, &clones)) < 0)
        return rc;
    for (i = 0; i < clones.count; i++) {
        const struct xenfork__record *clone = clones.records[i];
        int r;

        if (!xenfork__is_orphan(clone, &images))
            continue;
        r = xenfork__clone_shares(ctx, clone, &does);
        if (r == 0 && !does)
            r = xenfork__claims_release(ctx, clone);
        if (r != XENFORK_E_BUSY)
            rc = rc < 0 ? rc : r;
    }
    return rc;
}

int xenfork__uncover(xenfork_ctx *ctx, const struct xenfork__record *clone)
{
    struct xenfork__dominfo info;
    uint64_t own;
    bool is;
    int rc;

    if (!clone->owned)
        return 0;
    rc = xenfork__xen_info(ctx, clone->domid, &info);
    if (rc < 0 || !info.claimed_pages)
        return rc;
    own = clone_reserve(clone, &info, true);
    if (own == info.claimed_pages ||
        (rc = is_shared(ctx, clone->uuid, NULL, &is)) < 0)
        return rc;
    /* As a source it has all in reserve that it shares. */
    return is ? 0 : xenfork__reserve_more(ctx, clone->domid, own);
}

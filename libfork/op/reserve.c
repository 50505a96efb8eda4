/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "op/reserve.h"

#include <string.h>

#include "state/lock.h"
#include "state/record.h"

/* Domain and vCPU structures, grant table, special pages, HAP pool. */
#define DOMAIN_PAGES 1024U
/* Xen's record of a shared page: 128 bytes, page_sharing_info + gfn_info. */
#define PAGES_PER_RECORD_PAGE 32U

void xenfork__reservation(const xenfork_spec *spec,
                          const struct xenfork__dominfo *source,
                          uint64_t guest_pages,
                          struct xenfork__reservation *out)
{
    /* HAP: libxl gives 4 KiB a MiB and 1 MiB a vCPU, libxl_utils.c, 4.17 */
    uint64_t domain = DOMAIN_PAGES + guest_pages / 256;

    *out = (struct xenfork__reservation){0};
    out->clone_pages = xenfork__reserve_pages(spec, guest_pages);
    /* It lacks pages for good, each of which it may touch. */
    if (spec->flags & XENFORK_FORK_NO_HYDRATE)
        out->clone_pages = guest_pages;
    out->pages = out->clone_pages * spec->count;
    out->overhead_pages = spec->count * domain;
    if (!source)
        return;
    out->source_pages = source->private_pages + source->shared_pages;
    if (out->source_pages > source->claimed_pages)
        out->source_share = out->source_pages - source->claimed_pages;
    out->pages += out->source_share;
    out->overhead_pages += domain + guest_pages / PAGES_PER_RECORD_PAGE;
}

static int too_little(xenfork_ctx *ctx, uint64_t need, uint64_t have)
{
    uint64_t need_mib = (need * XENFORK__PAGE_KIB + 1023) / 1024;
    uint64_t have_mib = have * XENFORK__PAGE_KIB / 1024;

    xenfork__miss(ctx, XENFORK_E_HOSTMEM,
                  "not enough free memory: %llu MiB needed, %llu MiB free",
                  (unsigned long long)need_mib, (unsigned long long)have_mib);
    return xenfork__remedy(ctx, "free memory, reserve less for each clone "
                                "(--reserve), or leave --no-hydrate out, which "
                                "reserves all");
}

int xenfork__reservation_check(xenfork_ctx *ctx,
                               const struct xenfork__reservation *reservation)
{
    uint64_t have, need = reservation->pages + reservation->overhead_pages;
    int rc = xenfork__xen_free_pages(ctx, &have);

    if (rc < 0)
        return rc;
    return have < need ? too_little(ctx, need, have) : 0;
}

/* Set the image's reservation to @pages. */
static int set_claim(xenfork_ctx *ctx, uint32_t image, uint64_t pages)
{
    struct xenfork__dominfo info;
    uint64_t limit;
    int rc;

    if ((rc = xenfork__xen_claim(ctx, image, 0)) < 0 || !pages)
        return rc;
    if ((rc = xenfork__xen_info(ctx, image, &info)) < 0)
        return rc;
    /* Xen refuses a claim past what the domain may own. */
    limit = info.private_pages + pages;
    if (limit > info.max_pages &&
        (rc = xenfork__xen_set_max_pages(ctx, image, limit)) < 0)
        return rc;
    return xenfork__xen_claim(ctx, image, limit);
}

int xenfork__reservation_claim(xenfork_ctx *ctx, uint32_t image,
                               const struct xenfork__reservation *reservation)
{
    cleanup_lock struct xenfork__lock *lock = NULL;
    int rc = xenfork__lock_take(ctx, XENFORK__LOCK_REGISTRY, true, &lock);

    if (rc < 0 || (rc = set_claim(ctx, image, reservation->pages)) < 0)
        return rc;
    return 0;
}

/* Reserve @reserve pages for the domain, in addition to those that it owns. */
static int claim_for(xenfork_ctx *ctx, uint32_t domid, uint64_t reserve)
{
    struct xenfork__dominfo info;
    uint64_t total;
    int rc = xenfork__xen_info(ctx, domid, &info);

    if (rc < 0)
        return rc;
    total = info.private_pages + reserve;
    /* Xen refuses a claim past it: xl mem-set has lowered it meanwhile. */
    if (total > info.max_pages) {
        LOG_WARN(
            ctx,
            "domain %u may own %llu pages, and has %llu of its own and %llu to "
            "come: the rest is not reserved, ignoring",
            domid, (unsigned long long)info.max_pages,
            (unsigned long long)info.private_pages,
            (unsigned long long)reserve);
        total = info.max_pages;
    }
    return xenfork__xen_claim(ctx, domid,
                              total > info.private_pages ? total : 0);
}

/*
 * Move @share of the image's reservation to a domain, which reserves @reserve
 * in all.
 */
static int hand(xenfork_ctx *ctx, uint32_t image, uint32_t domid,
                uint64_t reserve, uint64_t share,
                struct xenfork__reservation *reservation)
{
    cleanup_lock struct xenfork__lock *lock = NULL;
    uint64_t rest = reservation->pages > share ? reservation->pages - share : 0;
    int rc;

    if ((rc = xenfork__lock_take(ctx, XENFORK__LOCK_REGISTRY, true, &lock)) <
            0 ||
        (rc = xenfork__xen_claim(ctx, image, 0)) < 0 ||
        (rc = claim_for(ctx, domid, reserve)) < 0 ||
        (rc = set_claim(ctx, image, rest)) < 0)
        return rc;
    reservation->pages = rest;
    return 0;
}

/* Return how much of its share the source needs, with @own pages of its own. */
static uint64_t needed_share(const struct xenfork__reservation *reservation,
                             uint64_t own)
{
    uint64_t shared = reservation->source_pages - own;
    uint64_t claimed = reservation->source_pages - reservation->source_share;

    return shared > claimed ? shared - claimed : 0;
}

int xenfork__reservation_follow(xenfork_ctx *ctx, uint32_t image,
                                uint32_t source,
                                struct xenfork__reservation *reservation)
{
    struct xenfork__dominfo info;
    uint64_t share, most = reservation->source_pages;
    int rc = xenfork__xen_info(ctx, source, &info);

    /* xl mem-set may have lowered it: reservation_source() says so, once. */
    if (rc == 0 && most > info.max_pages)
        most = info.max_pages;
    if (rc < 0 || most <= info.private_pages)
        return rc;
    share = needed_share(reservation, info.private_pages);
    if (share < reservation->source_given)
        share = reservation->source_given;
    rc = hand(ctx, image, source, most - info.private_pages,
              share - reservation->source_given, reservation);
    if (rc == 0)
        reservation->source_given = share;
    return rc;
}

int xenfork__reservation_source(xenfork_ctx *ctx, uint32_t image,
                                uint32_t source,
                                struct xenfork__reservation *reservation)
{
    struct xenfork__dominfo info;
    int rc = xenfork__xen_info(ctx, source, &info);

    if (rc < 0 || reservation->source_pages <= info.private_pages)
        return rc;
    return hand(
        ctx, image, source, reservation->source_pages - info.private_pages,
        reservation->source_share - reservation->source_given, reservation);
}

int xenfork__reservation_clone(xenfork_ctx *ctx, uint32_t image, uint32_t clone,
                               struct xenfork__reservation *reservation)
{
    if (!reservation->clone_pages)
        return 0;
    return hand(ctx, image, clone, reservation->clone_pages,
                reservation->clone_pages, reservation);
}

/* Tell whether there is an image of this source other than @except. */
static bool has_image(const struct xenfork__records *images,
                      const uint8_t source[16], const uint8_t *except)
{
    size_t i;

    for (i = 0; i < images->count; i++)
        if (!memcmp(images->records[i]->parent, source, 16) &&
            (!except || memcmp(images->records[i]->uuid, except, 16)))
            return true;
    return false;
}

int xenfork__cover(xenfork_ctx *ctx, struct xenfork__record *clone,
                   const struct xenfork__reservation *reservation,
                   bool *is_covered_out)
{
    cleanup_lock struct xenfork__lock *lock = NULL;
    struct xenfork__dominfo info;
    uint64_t have, lacks;
    int rc;

    if ((rc = xenfork__lock_take(ctx, XENFORK__LOCK_REGISTRY, true, &lock)) <
            0 ||
        (rc = xenfork__xen_info(ctx, clone->domid, &info)) < 0 ||
        (rc = xenfork__xen_free_pages(ctx, &have)) < 0)
        return rc;
    clone->owned = info.private_pages + reservation->clone_pages;
    lacks = clone->pages > info.private_pages
                ? clone->pages - info.private_pages
                : 0;
    *is_covered_out = lacks <= info.claimed_pages;
    if (*is_covered_out || lacks - info.claimed_pages > have / 2)
        return 0;
    rc = claim_for(ctx, clone->domid, lacks);
    *is_covered_out = rc == 0;
    return rc == XENFORK_E_HOSTMEM ? 0 : rc;
}

int xenfork__uncover(xenfork_ctx *ctx, const struct xenfork__record *clone)
{
    cleanup_records struct xenfork__records images = {0};
    struct xenfork__dominfo info;
    int rc;

    if (!clone->owned)
        return 0;
    if ((rc = xenfork__records_load(ctx, XENFORK_KIND_IMAGE, &images)) < 0 ||
        (rc = xenfork__xen_info(ctx, clone->domid, &info)) < 0)
        return rc;
    /* As a source it has all in reserve that it shares. */
    if (!info.claimed_pages || has_image(&images, clone->uuid, NULL))
        return 0;
    return claim_for(ctx, clone->domid,
                     clone->owned > info.private_pages
                         ? clone->owned - info.private_pages
                         : 0);
}

int xenfork__reservation_end(xenfork_ctx *ctx, uint32_t image,
                             uint64_t max_pages)
{
    int rc = xenfork__xen_claim(ctx, image, 0);

    return rc < 0 ? rc : xenfork__xen_set_max_pages(ctx, image, max_pages);
}

int xenfork__claim_adjust(xenfork_ctx *ctx, const uint8_t source[16],
                          const uint8_t *except)
{
    cleanup_records struct xenfork__records images = {0};
    cleanup_record struct xenfork__record *clone = NULL;
    struct xenfork__dominfo info;
    uint32_t domid;
    int rc;

    rc = xenfork__xen_by_uuid(ctx, source, &domid);
    if (rc < 0)
        return rc == XENFORK_E_NOTFOUND ? 0 : rc;
    if ((rc = xenfork__records_load(ctx, XENFORK_KIND_IMAGE, &images)) < 0 ||
        (rc = xenfork__xen_info(ctx, domid, &info)) < 0)
        return rc;
    if (has_image(&images, source, except))
        return claim_for(ctx, domid, info.shared_pages);
    rc = xenfork__record_load(ctx, XENFORK_KIND_CLONE, source, &clone);
    if (rc != XENFORK_E_NOTFOUND)
        return rc;
    return xenfork__xen_claim(ctx, domid, 0);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "op/reserve.h"

#include <string.h>

#include "base/ids.h"
#include "state/lock.h"
#include "state/record.h"
#include "xen/host-memory.h"

/* Domain, grant table, special pages; page tables, as libxl counts them. */
#define DOMAIN_PAGES   512U
#define PAGES_PER_VCPU 256U
/* Xen's records of a shared page, of its nomination and of each domain's. */
#define PAGES_PER_RECORD_PAGE 32U
#define PAGES_PER_CLONE_PAGE  64U
/* Released at once, as each release takes calls of Xen. */
#define RECORDS_STEP 256U
/* Pages that cannot be shared: special ones; what QEMU maps, its video RAM. */
#define COPY_PAGES     512U
#define EMULATOR_PAGES 4608U

static uint64_t less(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

int xenfork__source_is_heard(xenfork_ctx *ctx,
                             const struct xenfork__dominfo *source,
                             bool *is_heard_out)
{
    cleanup_record struct xenfork__record *clone = NULL;
    int rc = xenfork__record_load(ctx, XENFORK_KIND_CLONE, source->uuid,
                                  &clone);

    *is_heard_out = rc == XENFORK_E_NOTFOUND &&
                    xenfork__xen_is_heard(ctx, source->domid);
    return rc == XENFORK_E_NOTFOUND ? 0 : rc;
}

/* Add what the source needs, which reserves @percent of its memory. */
static void add_source_needs(struct xenfork__reservation *out,
                             const struct xenfork__dominfo *source,
                             uint64_t pages, uint32_t percent)
{
    out->source_pages = pages;
    out->source_limit = xenfork__percent_of(pages, percent);
    if (out->source_limit < source->claimed_pages)
        out->source_limit = source->claimed_pages;
    out->source_claimed = source->claimed_pages;
    out->source_share = out->source_limit - source->claimed_pages;
    out->pages += out->source_share;
}

int xenfork__reservation(xenfork_ctx *ctx, const xenfork_spec *spec,
                         const struct xenfork__dominfo *forked, bool is_image,
                         uint64_t guest_pages, struct xenfork__reservation *out)
{
    uint64_t domain = DOMAIN_PAGES + forked->max_vcpus * PAGES_PER_VCPU +
                      guest_pages / 128;
    bool heard;
    int rc;

    *out = (struct xenfork__reservation){.domain_pages = domain,
                                         .leave_kib = spec->leave_kib};
    out->asked_pages = out->clone_pages = xenfork__reserve_pages(spec,
                                                                 guest_pages);
    /* The clone lacks pages for good, and may touch each of them. */
    if (spec->flags & XENFORK_FORK_NO_HYDRATE)
        out->clone_pages = guest_pages;
    out->pages = (out->clone_pages + domain) * spec->count;
    out->overhead_pages = spec->count * (guest_pages / PAGES_PER_CLONE_PAGE);
    if (is_image)
        return 0;
    rc = xenfork__source_is_heard(ctx, forked, &heard);
    if (rc < 0)
        return rc;
    add_source_needs(out, forked, guest_pages,
                     heard ? spec->source_reserve : 100);
    out->record_pages = guest_pages / PAGES_PER_RECORD_PAGE;
    out->copy_pages = COPY_PAGES + (forked->has_emulator ? EMULATOR_PAGES : 0);
    out->pages += out->record_pages + out->copy_pages;
    out->overhead_pages += domain;
    return 0;
}

static int too_little(xenfork_ctx *ctx, uint64_t need, uint64_t have)
{
    uint64_t need_mib = (need * XENFORK__PAGE_KIB + 1023) / 1024;
    uint64_t have_mib = have * XENFORK__PAGE_KIB / 1024;

    xenfork__miss(ctx, XENFORK_E_HOSTMEM,
                  "not enough free memory: %llu MiB needed, %llu MiB free",
                  (unsigned long long)need_mib, (unsigned long long)have_mib);
    return xenfork__remedy(
        ctx,
        "free memory, reserve less for each clone (--reserve), leave "
        "--hydrate=never out, which reserves all, hydrate clones made with "
        "--hydrate=auto (xl fork-hydrate), or destroy those made with "
        "--hydrate=never");
}

int xenfork__reservation_check(xenfork_ctx *ctx,
                               const struct xenfork__reservation *reservation)
{
    uint64_t have, need = reservation->pages + reservation->overhead_pages +
                          reservation->leave_kib / XENFORK__PAGE_KIB;
    int rc = xenfork__xen_free_pages(ctx, &have);

    if (rc < 0)
        return rc;
    return have < need ? too_little(ctx, need, have) : 0;
}

/*
 * Set @claim to what gives the image a reservation of @pages.  Xen refuses a
 * claim past what the domain may own.
 */
static int image_claim(xenfork_ctx *ctx, uint32_t image, uint64_t pages,
                       struct xenfork__claim *claim)
{
    struct xenfork__dominfo info;
    uint64_t limit;
    int rc;

    *claim = (struct xenfork__claim){.domid = image};
    if ((rc = xenfork__xen_info(ctx, image, &info)) < 0 || !pages)
        return rc;
    limit = claim->pages = info.private_pages + pages;
    return limit > info.max_pages
               ? xenfork__xen_set_max_pages(ctx, image, limit)
               : 0;
}

/* Set @claim to what gives the domain a reservation of @reserve pages. */
static int domain_claim(xenfork_ctx *ctx, uint32_t domid, uint64_t reserve,
                        struct xenfork__claim *claim)
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
    *claim = (struct xenfork__claim){
        .domid = domid, .pages = total > info.private_pages ? total : 0};
    return 0;
}

int xenfork__reserve_more(xenfork_ctx *ctx, uint32_t domid, uint64_t reserve)
{
    struct xenfork__claim claim;
    int rc = domain_claim(ctx, domid, reserve, &claim);

    return rc < 0 ? rc : xenfork__xen_claim(ctx, domid, claim.pages);
}

/* Reduce the image's reservation by @pages: somebody takes them now. */
static int release_claim(xenfork_ctx *ctx, uint32_t image, uint64_t pages,
                         struct xenfork__reservation *reservation)
{
    uint64_t rest = reservation->pages > pages ? reservation->pages - pages : 0;
    struct xenfork__claim claim;
    int rc;

    if ((rc = image_claim(ctx, image, rest, &claim)) < 0 ||
        (rc = xenfork__xen_claim(ctx, image, claim.pages)) < 0)
        return rc;
    reservation->pages = rest;
    return 0;
}

int xenfork__reservation_claim(xenfork_ctx *ctx, uint32_t image,
                               struct xenfork__reservation *reservation)
{
    return release_claim(ctx, image, 0, reservation);
}

int xenfork__reservation_domain(xenfork_ctx *ctx, uint32_t image,
                                struct xenfork__reservation *reservation)
{
    return release_claim(ctx, image, reservation->domain_pages, reservation);
}

int xenfork__reservation_records(xenfork_ctx *ctx, uint32_t image,
                                 uint64_t count,
                                 struct xenfork__reservation *reservation)
{
    uint64_t need = count / PAGES_PER_RECORD_PAGE + 1, step = RECORDS_STEP;
    int rc = 0;

    if (reservation->record_credit < need && reservation->record_pages) {
        step = less(step, reservation->record_pages);
        rc = release_claim(ctx, image, step, reservation);
        if (rc < 0)
            return rc;
        reservation->record_pages -= step;
        reservation->record_credit += step;
    }
    reservation->record_credit -= less(need, reservation->record_credit);
    return rc;
}

void xenfork__reservation_copied(struct xenfork__reservation *reservation,
                                 uint64_t count)
{
    count = less(count, reservation->copy_pages);
    reservation->copy_pages -= count;
    reservation->pages -= less(count, reservation->pages);
}

/*
 * Move @share of the image's reservation to a domain, which reserves @reserve
 * in all.
 */
static int hand(xenfork_ctx *ctx, uint32_t image, uint32_t domid,
                uint64_t reserve, uint64_t share,
                struct xenfork__reservation *reservation)
{
    uint64_t rest = reservation->pages > share ? reservation->pages - share : 0;
    struct xenfork__claim claims[2];
    int rc;

    if ((rc = domain_claim(ctx, domid, reserve, &claims[0])) < 0 ||
        (rc = image_claim(ctx, image, rest, &claims[1])) < 0 ||
        (rc = xenfork__xen_claims(ctx, claims, 2)) < 0)
        return rc;
    reservation->pages = rest;
    return 0;
}

int xenfork__reservation_follow(xenfork_ctx *ctx, uint32_t image,
                                uint32_t source,
                                struct xenfork__reservation *reservation)
{
    struct xenfork__dominfo info;
    uint64_t reserve, share, most = reservation->source_pages;
    int rc = xenfork__xen_info(ctx, source, &info);

    /* xl mem-set may have lowered it: reservation_source() says so, once. */
    if (rc == 0)
        most = less(most, info.max_pages);
    if (rc < 0 || most <= info.private_pages)
        return rc;
    reserve = less(most - info.private_pages, reservation->source_limit);
    share = reserve > reservation->source_claimed
                ? reserve - reservation->source_claimed
                : 0;
    if (share < reservation->source_given)
        share = reservation->source_given;
    rc = hand(ctx, image, source, reserve, share - reservation->source_given,
              reservation);
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
    return hand(ctx, image, source,
                less(reservation->source_pages - info.private_pages,
                     reservation->source_limit),
                reservation->source_share - reservation->source_given,
                reservation);
}

int xenfork__reservation_clone(xenfork_ctx *ctx, uint32_t image, uint32_t clone,
                               struct xenfork__reservation *reservation)
{
    if (!reservation->clone_pages)
        return 0;
    return hand(ctx, image, clone, reservation->clone_pages,
                reservation->clone_pages, reservation);
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
    clone->owned = info.private_pages + reservation->asked_pages;
    lacks = clone->pages > info.private_pages
                ? clone->pages - info.private_pages
                : 0;
    *is_covered_out = lacks <= info.claimed_pages;
    if (*is_covered_out || lacks - info.claimed_pages > have / 2)
        return 0;
    rc = xenfork__reserve_more(ctx, clone->domid, lacks);
    *is_covered_out = rc == 0;
    return rc == XENFORK_E_HOSTMEM ? 0 : rc;
}

int xenfork__cover_again(xenfork_ctx *ctx, uint32_t domid, uint64_t pages,
                         uint64_t leave)
{
    cleanup_lock struct xenfork__lock *lock = NULL;
    struct xenfork__dominfo info;
    uint64_t have, lacks;
    int rc;

    if ((rc = xenfork__lock_take(ctx, XENFORK__LOCK_REGISTRY, false, &lock)) <
            0 ||
        (rc = xenfork__xen_info(ctx, domid, &info)) < 0 ||
        (rc = xenfork__xen_free_pages(ctx, &have)) < 0)
        return rc;
    pages = less(pages, info.max_pages);
    lacks = pages > info.private_pages ? pages - info.private_pages : 0;
    if (lacks <= info.claimed_pages)
        return 0;
    if (lacks - info.claimed_pages + leave > have)
        return xenfork__miss(ctx, XENFORK_E_HOSTMEM,
                             "domain %u: no memory to reserve", domid);
    return xenfork__reserve_more(ctx, domid, lacks);
}

int xenfork__reservation_end(xenfork_ctx *ctx, uint32_t image,
                             uint64_t max_pages)
{
    int rc = xenfork__xen_claim(ctx, image, 0);

    return rc < 0 ? rc : xenfork__xen_set_max_pages(ctx, image, max_pages);
}

/* Return how much too much the source has in reserve; 0 for a clone. */
static int find_excess(xenfork_ctx *ctx, uint32_t domid, uint32_t percent,
                       struct xenfork__dominfo *info, uint64_t *keep_out)
{
    bool heard;
    int rc = xenfork__xen_info(ctx, domid, info);

    *keep_out = UINT64_MAX;
    if (rc < 0 || (rc = xenfork__source_is_heard(ctx, info, &heard)) < 0 ||
        !heard)
        return rc;
    *keep_out = xenfork__percent_of(info->private_pages + info->shared_pages,
                                    percent);
    return 0;
}

int xenfork__source_lower(xenfork_ctx *ctx, uint32_t domid, uint32_t percent,
                          uint64_t *lowered_out)
{
    cleanup_lock struct xenfork__lock *lock = NULL;
    char uuid[XENFORK__UUID_CHARS];
    struct xenfork__dominfo info;
    uint64_t keep;
    int rc;

    *lowered_out = 0;
    if ((rc = find_excess(ctx, domid, percent, &info, &keep)) < 0 ||
        info.claimed_pages <= keep)
        return rc;
    xenfork__uuid_print(info.uuid, uuid);
    if ((rc = xenfork__lock_take(ctx, uuid, false, &lock)) < 0 ||
        (rc = find_excess(ctx, domid, percent, &info, &keep)) < 0 ||
        info.claimed_pages <= keep)
        return rc;
    rc = xenfork__reserve_more(ctx, domid, keep);
    if (rc == 0)
        *lowered_out = keep;
    return rc;
}

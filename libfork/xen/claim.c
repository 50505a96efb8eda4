/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Memory that Xen holds back for a domain: its claim. */
#include "xen/handles.h"

#include "xen/xen.h"

#include <string.h>
#include <xen/memory.h>

#define DOMAINS_MAX 2U

/* Hypercall buffers. */
struct steps {
    multicall_entry_t calls[2 * DOMAINS_MAX];
    xen_memory_reservation_t args[2 * DOMAINS_MAX];
    uint32_t count;
};

static int try_claim(xenfork_ctx *ctx, uint32_t domid, uint64_t pages)
{
    xenfork__count(ctx, XENFORK_COUNT_HYPERCALLS, 1);
    return xc_domain_claim_pages(ctx->xen->xch, domid, pages) ? errno : 0;
}

/* Give the domain back what it had, less what it has used meanwhile. */
static void restore_claim(xenfork_ctx *ctx,
                          const struct xenfork__dominfo *before)
{
    struct xenfork__dominfo now;
    int e = try_claim(ctx, before->domid, 0);

    if (!before->claimed_pages)
        return;
    if (e || xenfork__xen_info(ctx, before->domid, &now) < 0 ||
        try_claim(ctx, before->domid,
                  now.private_pages + before->claimed_pages))
        LOG_WARN(
            ctx,
            "domain %u has lost its reservation of %llu pages, too, ignoring",
            before->domid, (unsigned long long)before->claimed_pages);
}

static void add_claim_step(struct steps *steps, uint32_t domid, uint64_t pages)
{
    uint32_t n = steps->count++;

    steps->args[n].nr_extents = pages;
    steps->args[n].domid = (domid_t)domid;
    steps->calls[n].op = __HYPERVISOR_memory_op;
    steps->calls[n].args[0] = XENMEM_claim_pages;
    steps->calls[n].args[1] = (uintptr_t)&steps->args[n];
}

/*
 * Release the old claims, and make the new ones.  Xen wants an old claim
 * dropped before there is a new one.  In one call nobody who looks for memory
 * gets in between, but by a hair.
 */
static int run_steps(xenfork_ctx *ctx, const struct xenfork__claim *claims,
                     uint32_t count, struct steps *steps)
{
    uint32_t i;

    memset(steps, 0, sizeof(*steps));
    for (i = 0; i < count; i++)
        add_claim_step(steps, claims[i].domid, 0);
    for (i = 0; i < count; i++)
        if (claims[i].pages)
            add_claim_step(steps, claims[i].domid, claims[i].pages);
    xenfork__count(ctx, XENFORK_COUNT_HYPERCALLS, 1);
    if (xencall2(ctx->xen->call, __HYPERVISOR_multicall,
                 (uintptr_t)steps->calls, steps->count) < 0)
        return errno;
    /* A claim that cannot be dropped is that of a domain that dies. */
    for (i = count; i < steps->count; i++)
        if ((long)steps->calls[i].result)
            return (int)-(long)steps->calls[i].result;
    return 0;
}

static int claim_refused(xenfork_ctx *ctx, const struct xenfork__claim *claim,
                         int e)
{
    if (e != ENOMEM)
        return xenfork__fail(ctx, XENFORK_E_XEN, e,
                             "domain %u: cannot reserve memory for %llu pages",
                             claim->domid, (unsigned long long)claim->pages);
    xenfork__fail(
        ctx, XENFORK_E_HOSTMEM, 0,
        "domain %u: not enough free memory for %llu MiB", claim->domid,
        (unsigned long long)(claim->pages * XENFORK__PAGE_KIB / 1024));
    return xenfork__remedy(ctx, "free memory, or reserve less for each clone "
                                "(--reserve)");
}

int xenfork__xen_claims(xenfork_ctx *ctx, const struct xenfork__claim *claims,
                        uint32_t count)
{
    struct xenfork__dominfo before[DOMAINS_MAX];
    struct steps *steps;
    uint32_t i;
    int rc, e;

    for (i = 0; i < count; i++)
        if ((rc = xenfork__xen_info(ctx, claims[i].domid, &before[i])) < 0)
            return rc;
    steps = xencall_alloc_buffer(ctx->xen->call, sizeof(*steps));
    if (!steps)
        return xenfork__nomem(ctx);
    e = run_steps(ctx, claims, count, steps);
    xencall_free_buffer(ctx->xen->call, steps);
    if (!e)
        return 0;
    for (i = 0; i < count; i++)
        restore_claim(ctx, &before[i]);
    return claim_refused(ctx, &claims[0], e);
}

int xenfork__xen_claim(xenfork_ctx *ctx, uint32_t domid, uint64_t pages)
{
    const struct xenfork__claim claim = {domid, pages};
    int e;

    if (pages)
        return xenfork__xen_claims(ctx, &claim, 1);
    e = try_claim(ctx, domid, 0);
    /* Xen drops the claim of a domain that dies; 4.19 says so, EINVAL. */
    return e && e != EINVAL ? claim_refused(ctx, &claim, e) : 0;
}

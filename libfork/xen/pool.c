/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The memory that Xen has for a domain's page tables: its paging pool. */
#include "xen/handles.h"

#include "xen/xen.h"

#define PAGES_2M (UINT64_C(1) << 9)
#define PAGES_1G (UINT64_C(1) << 18)

int xenfork__xen_pool_size(xenfork_ctx *ctx, uint32_t domid,
                           uint64_t *bytes_out)
{
    xenfork__count(ctx, XENFORK_COUNT_HYPERCALLS, 1);
    if (xc_get_paging_mempool_size(ctx->xen->xch, domid, bytes_out))
        return xenfork__fail(
            ctx, XENFORK_E_XEN, errno,
            "domain %u: cannot read how much memory its page tables have",
            domid);
    return 0;
}

/* Return 0, or errno: Xen frees what is not in use, then says ENOMEM. */
static int try_set(xenfork_ctx *ctx, uint32_t domid, uint64_t bytes)
{
    xenfork__count(ctx, XENFORK_COUNT_HYPERCALLS, 1);
    return xc_set_paging_mempool_size(ctx->xen->xch, domid, bytes) ? errno : 0;
}

static int set(xenfork_ctx *ctx, uint32_t domid, uint64_t bytes)
{
    int e = try_set(ctx, domid, bytes);

    return e ? xenfork__fail(ctx, XENFORK_E_HOSTMEM, e,
                             "domain %u: cannot get memory for its page tables",
                             domid)
             : 0;
}

/*
 * Work out the paging pool.  libxl has 256 pages for each vCPU and one a MiB;
 * half of these are used.  A configuration without vcpus= gives far too little:
 * xl 4.17 takes the vCPUs for none when it works out the size.
 */
int xenfork__xen_pool(xenfork_ctx *ctx, uint32_t domid, uint64_t max_pages,
                      uint64_t *bytes_out)
{
    uint64_t enough = (64 + max_pages / 256) * XENFORK__PAGE_SIZE;
    int rc = xenfork__xen_pool_size(ctx, domid, bytes_out);

    if (rc == 0 && *bytes_out < enough)
        *bytes_out = enough;
    return rc;
}

int xenfork__pools_set(xenfork_ctx *ctx, uint32_t source, uint64_t max_pages,
                       uint32_t image)
{
    uint64_t bytes;
    int rc = xenfork__xen_pool(ctx, source, max_pages, &bytes);

    if (rc < 0 || (rc = set(ctx, source, bytes)) < 0)
        return rc;
    return set(ctx, image, bytes);
}

int xenfork__xen_pool_limit(xenfork_ctx *ctx, uint32_t domid, uint64_t bytes)
{
    uint64_t now;
    int rc = xenfork__xen_pool_size(ctx, domid, &now);

    if (rc == 0 && now > bytes)
        (void)try_set(ctx, domid, bytes); /* more may be in use */
    return rc;
}

/* Return how many tables Xen may need to map each of these by itself. */
static uint64_t tables_for(const uint64_t *gfns, uint32_t count)
{
    uint64_t tables = 0;
    uint32_t i;

    for (i = 0; i < count; i++) {
        tables += !i || gfns[i] / PAGES_2M != gfns[i - 1] / PAGES_2M;
        tables += !i || gfns[i] / PAGES_1G != gfns[i - 1] / PAGES_1G;
    }
    return tables;
}

int xenfork__pool_add(xenfork_ctx *ctx, uint32_t domid, const uint64_t *gfns,
                      uint32_t count, uint64_t *before_out)
{
    uint64_t more = tables_for(gfns, count) * XENFORK__PAGE_SIZE;
    int rc = xenfork__xen_pool_size(ctx, domid, before_out);

    if (rc < 0 || (rc = set(ctx, domid, *before_out + more)) == 0)
        return rc;
    (void)try_set(ctx, domid, *before_out);
    return rc;
}

/*
 * Return the size for page tables of which @used_bytes are in use.  A guest
 * that maps all that it may have needs one for each 2 MiB; an eighth more and
 * 64 are for what it maps elsewhere, and for the record of what it writes while
 * it is migrated.
 */
static uint64_t size_for(uint64_t used_bytes, uint64_t max_kib)
{
    uint64_t pages = used_bytes / XENFORK__PAGE_SIZE;
    uint64_t all = max_kib / 2048;

    if (all > pages)
        pages = all;
    return (pages + pages / 8 + 64) * XENFORK__PAGE_SIZE;
}

/* Free what is not in use, and read how much Xen has left: so much is. */
int xenfork__xen_image_trim(xenfork_ctx *ctx, uint32_t image, uint64_t max_kib)
{
    uint64_t bytes, used, wanted;
    int rc;

    if ((rc = xenfork__xen_pool_size(ctx, image, &bytes)) < 0)
        return rc;
    (void)try_set(ctx, image, 0);
    if ((rc = xenfork__xen_pool_size(ctx, image, &used)) < 0)
        return rc;
    wanted = size_for(used, max_kib);
    return set(ctx, image, wanted < bytes ? wanted : bytes);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Memory of domains: claimed, found, shared, copied, forked. */
#include "xen/handles.h"

#include "xen/xen.h"

#include <string.h>
#include <sys/mman.h>
#include <xen/memory.h>

#define PRESENT_MAX 1024U /* GPF3 limit, xen/arch/x86/domctl.c, 4.17 */

/* Hypercall buffers, made once: each would cost an mmap and an munmap. */
struct xenfork__batch {
    multicall_entry_t calls[XENFORK__BATCH];
    xen_mem_sharing_op_t ops[XENFORK__BATCH];
    xen_pfn_t pfns[PRESENT_MAX];
    struct xen_domctl domctl;
};

static struct xenfork__batch *batch(xenfork_ctx *ctx)
{
    struct xenfork__xen *xen = ctx->xen;

    if (!xen->batch)
        xen->batch = xencall_alloc_buffer(xen->call, sizeof(*xen->batch));
    if (!xen->batch)
        xenfork__nomem(ctx);
    return xen->batch;
}

int xenfork__xen_free_pages(xenfork_ctx *ctx, uint64_t *pages_out)
{
    xc_physinfo_t info = {0};

    if (xc_physinfo(ctx->xen->xch, &info))
        return xenfork__fail(ctx, XENFORK_E_XEN, errno,
                             "cannot read the host's free memory");
    *pages_out = info.free_pages > info.outstanding_pages
                     ? info.free_pages - info.outstanding_pages
                     : 0;
    return 0;
}

int xenfork__xen_set_max_pages(xenfork_ctx *ctx, uint32_t domid, uint64_t pages)
{
    xenfork__count(ctx, XENFORK_COUNT_HYPERCALLS, 1);
    if (xc_domain_setmaxmem(ctx->xen->xch, domid, pages * XENFORK__PAGE_KIB))
        return xenfork__fail(ctx, XENFORK_E_XEN, errno,
                             "domain %u: cannot set its memory limit", domid);
    return 0;
}

int xenfork__xen_max_gfn(xenfork_ctx *ctx, uint32_t domid, uint64_t *gfn_out)
{
    xen_pfn_t max;

    xenfork__count(ctx, XENFORK_COUNT_HYPERCALLS, 1);
    if (xc_domain_maximum_gpfn(ctx->xen->xch, domid, &max) < 0)
        return xenfork__fail(ctx, XENFORK_E_XEN, errno,
                             "domain %u: cannot read its highest page", domid);
    *gfn_out = max;
    return 0;
}

/*
 * Look which pages are there.  getpageframeinfo3 looks each page up with
 * P2M_ALLOC, which also makes a fork take over what it has not yet
 * (xen/arch/x86/domctl.c, 4.17).
 */
static int look_at_pages(xenfork_ctx *ctx, struct xenfork__batch *b,
                         uint32_t domid, uint32_t count, bool *present_out)
{
    uint32_t i;

    memset(&b->domctl, 0, sizeof(b->domctl));
    b->domctl.cmd = XEN_DOMCTL_getpageframeinfo3;
    b->domctl.interface_version = XEN_DOMCTL_INTERFACE_VERSION;
    b->domctl.domain = (domid_t)domid;
    b->domctl.u.getpageframeinfo3.num = count;
    set_xen_guest_handle_raw(b->domctl.u.getpageframeinfo3.array, b->pfns);
    xenfork__count(ctx, XENFORK_COUNT_HYPERCALLS, 1);
    if (xencall1(ctx->xen->call, __HYPERVISOR_domctl,
                 (uint64_t)(uintptr_t)&b->domctl) < 0)
        return xenfork__fail(ctx, XENFORK_E_XEN, errno,
                             "domain %u: cannot look at its memory", domid);
    for (i = 0; i < count; i++)
        present_out[i] = b->pfns[i] != XEN_DOMCTL_PFINFO_XTAB &&
                         b->pfns[i] != XEN_DOMCTL_PFINFO_BROKEN;
    return 0;
}

int xenfork__xen_present(xenfork_ctx *ctx, uint32_t domid, uint64_t first,
                         uint32_t count, bool *present_out)
{
    struct xenfork__batch *b = batch(ctx);
    uint32_t i;

    if (!b)
        return XENFORK_E_NOMEM;
    for (i = 0; i < count; i++)
        b->pfns[i] = first + i;
    return look_at_pages(ctx, b, domid, count, present_out);
}

int xenfork__xen_present_at(xenfork_ctx *ctx, uint32_t domid,
                            const uint64_t *gfns, uint32_t count,
                            bool *present_out)
{
    struct xenfork__batch *b = batch(ctx);
    uint32_t i;

    if (!b)
        return XENFORK_E_NOMEM;
    for (i = 0; i < count; i++)
        b->pfns[i] = gfns[i];
    return look_at_pages(ctx, b, domid, count, present_out);
}

/* Run the first @count of the batch's sharing operations. */
static int multicall(xenfork_ctx *ctx, struct xenfork__batch *b, uint32_t count)
{
    uint32_t i;

    memset(b->calls, 0, count * sizeof(b->calls[0]));
    for (i = 0; i < count; i++) {
        b->calls[i].op = __HYPERVISOR_memory_op;
        b->calls[i].args[0] = XENMEM_sharing_op;
        b->calls[i].args[1] = (uintptr_t)&b->ops[i];
    }
    xenfork__count(ctx, XENFORK_COUNT_HYPERCALLS, 1);
    if (xencall2(ctx->xen->call, __HYPERVISOR_multicall, (uintptr_t)b->calls,
                 count) < 0)
        return xenfork__fail(ctx, XENFORK_E_XEN, errno,
                             "cannot make a batch of hypercalls");
    return 0;
}

static int nominate_batch(xenfork_ctx *ctx, struct xenfork__batch *b,
                          uint32_t source, const uint64_t *gfns, uint32_t count,
                          uint64_t *handles_out)
{
    uint32_t i;
    int rc;

    memset(b->ops, 0, count * sizeof(b->ops[0]));
    for (i = 0; i < count; i++) {
        b->ops[i].op = XENMEM_sharing_op_nominate_gfn;
        b->ops[i].domain = (domid_t)source;
        b->ops[i].u.nominate.u.gfn = gfns[i];
    }
    rc = multicall(ctx, b, count);
    if (rc < 0)
        return rc;
    for (i = 0; i < count; i++)
        handles_out[i] = (long)b->calls[i].result == 0
                             ? b->ops[i].u.nominate.handle
                             : 0;
    return 0;
}

/*
 * Nominate pages.  Xen maps each page that it makes sharable by itself, and
 * stops the host when there is no memory to split what maps 2 MiB
 * (nominate_page(), 4.17 to 4.22).  A guest may have used up what its domain
 * has for that: it need only map pages far apart, Xen keeps the empty tables.
 * So there is enough for these pages before each time.
 */
int xenfork__xen_nominate(xenfork_ctx *ctx, uint32_t source,
                          const uint64_t *gfns, uint32_t count,
                          uint64_t *handles_out)
{
    struct xenfork__batch *b = batch(ctx);
    uint64_t pool;
    int rc, r;

    if (!b)
        return XENFORK_E_NOMEM;
    if ((rc = xenfork__pool_add(ctx, source, gfns, count, &pool)) < 0)
        return rc;
    rc = nominate_batch(ctx, b, source, gfns, count, handles_out);
    r = xenfork__xen_pool_limit(ctx, source, pool);
    return rc < 0 ? rc : r;
}

int xenfork__xen_share(xenfork_ctx *ctx, uint32_t source, uint32_t image,
                       const uint64_t *gfns, const uint64_t *handles,
                       uint32_t count, bool *is_shared_out)
{
    struct xenfork__batch *b = batch(ctx);
    uint32_t which[XENFORK__BATCH];
    uint32_t i, n = 0;
    int rc;

    if (!b)
        return XENFORK_E_NOMEM;
    memset(b->ops, 0, count * sizeof(b->ops[0]));
    memset(is_shared_out, 0, count * sizeof(*is_shared_out));
    for (i = 0; i < count; i++) {
        if (!handles[i])
            continue;
        b->ops[n].op = XENMEM_sharing_op_add_physmap;
        b->ops[n].domain = (domid_t)source;
        b->ops[n].u.share.source_gfn = gfns[i];
        b->ops[n].u.share.source_handle = handles[i];
        b->ops[n].u.share.client_gfn = gfns[i];
        b->ops[n].u.share.client_domain = (domid_t)image;
        which[n++] = i;
    }
    if (!n)
        return 0;
    rc = multicall(ctx, b, n);
    for (i = 0; i < n && rc == 0; i++) {
        long r = (long)b->calls[i].result;

        is_shared_out[which[i]] = r == 0;
        if (r && r != XENMEM_SHARING_OP_S_HANDLE_INVALID)
            rc = xenfork__fail(
                ctx, r == -ENOMEM ? XENFORK_E_HOSTMEM : XENFORK_E_XEN,
                r < -10 && r > -4096 ? (int)-r : 0,
                "domain %u: cannot share page %llx with "
                "domain %u",
                source, (unsigned long long)gfns[which[i]], image);
    }
    return rc;
}

/* Map pages of a domain, all of them or none. */
static void *map(xenfork_ctx *ctx, uint32_t domid, int prot,
                 const xen_pfn_t *pfns, uint32_t count)
{
    int errors[XENFORK__BATCH];
    void *memory;
    uint32_t i;

    xenfork__count(ctx, XENFORK_COUNT_HYPERCALLS, 1);
    memory = xenforeignmemory_map(ctx->xen->fmem, domid, prot, count, pfns,
                                  errors);
    if (!memory) {
        xenfork__fail(ctx, XENFORK_E_XEN, errno,
                      "domain %u: cannot map its memory", domid);
        return NULL;
    }
    for (i = 0; i < count; i++) {
        if (!errors[i])
            continue;
        xenforeignmemory_unmap(ctx->xen->fmem, memory, count);
        xenfork__fail(ctx, XENFORK_E_XEN, -errors[i],
                      "domain %u: cannot map page %llx", domid,
                      (unsigned long long)pfns[i]);
        return NULL;
    }
    return memory;
}

int xenfork__xen_copy(xenfork_ctx *ctx, uint32_t source, uint32_t image,
                      const uint64_t *gfns, uint32_t count)
{
    xenforeignmemory_handle *fmem = ctx->xen->fmem;
    xen_pfn_t pfns[XENFORK__BATCH];
    void *from, *to;
    uint32_t i;

    for (i = 0; i < count; i++)
        pfns[i] = gfns[i];
    xenfork__count(ctx, XENFORK_COUNT_HYPERCALLS, 1);
    if (xc_domain_populate_physmap_exact(ctx->xen->xch, image, count, 0, 0,
                                         pfns))
        return xenfork__fail(ctx, XENFORK_E_HOSTMEM, errno,
                             "domain %u: cannot get %u pages", image, count);
    for (i = 0; i < count; i++)
        pfns[i] = gfns[i];
    from = map(ctx, source, PROT_READ, pfns, count);
    if (!from)
        return ctx->error.code;
    to = map(ctx, image, PROT_READ | PROT_WRITE, pfns, count);
    if (to) {
        memcpy(to, from, (size_t)count * XENFORK__PAGE_SIZE);
        xenforeignmemory_unmap(fmem, to, count);
    }
    xenforeignmemory_unmap(fmem, from, count);
    return to ? 0 : ctx->error.code;
}

/*
 * Drop pages of the image.  Xen takes a shared page out of sharing first, which
 * may need a page more for the moment (guest_remove_page(),
 * xen/common/memory.c, 4.17).  Unlike XENMEM_remove_from_physmap this frees the
 * page.
 */
int xenfork__xen_drop(xenfork_ctx *ctx, uint32_t image, const uint64_t *gfns,
                      uint32_t count)
{
    xen_pfn_t pfns[XENFORK__BATCH];
    uint32_t i;

    for (i = 0; i < count; i++)
        pfns[i] = gfns[i];
    xenfork__count(ctx, XENFORK_COUNT_HYPERCALLS, 1);
    if (xc_domain_decrease_reservation_exact(ctx->xen->xch, image, count, 0,
                                             pfns))
        return xenfork__fail(ctx, XENFORK_E_HOSTMEM, errno,
                             "domain %u: cannot replace %u pages", image,
                             count);
    return 0;
}

/*
 * Unshare pages.  A writable mapping takes a page out of sharing:
 * mod_l1_entry() asks for it with P2M_UNSHARE (xen/arch/x86/mm.c, 4.17).
 * Nothing is written.
 */
int xenfork__xen_unshare(xenfork_ctx *ctx, uint32_t domid, const uint64_t *gfns,
                         uint32_t count)
{
    xen_pfn_t pfns[XENFORK__BATCH];
    int errors[XENFORK__BATCH];
    void *memory;
    uint32_t i;

    for (i = 0; i < count; i++)
        pfns[i] = gfns[i];
    xenfork__count(ctx, XENFORK_COUNT_HYPERCALLS, 1);
    memory = xenforeignmemory_map(ctx->xen->fmem, domid, PROT_READ | PROT_WRITE,
                                  count, pfns, errors);
    if (!memory)
        return xenfork__fail(ctx, XENFORK_E_XEN, errno,
                             "domain %u: cannot map its memory", domid);
    xenforeignmemory_unmap(ctx->xen->fmem, memory, count);
    return 0;
}

int xenfork__xen_read_pages(xenfork_ctx *ctx, uint32_t domid,
                            const uint64_t *gfns, uint32_t count,
                            uint8_t *pages_out)
{
    xen_pfn_t pfns[XENFORK__BATCH];
    uint32_t done, i, n;

    for (done = 0; done < count; done += n) {
        void *memory;

        n = count - done < XENFORK__BATCH ? count - done : XENFORK__BATCH;
        for (i = 0; i < n; i++)
            pfns[i] = gfns[done + i];
        memory = map(ctx, domid, PROT_READ, pfns, n);
        if (!memory)
            return ctx->error.code;
        memcpy(pages_out + (size_t)done * XENFORK__PAGE_SIZE, memory,
               (size_t)n * XENFORK__PAGE_SIZE);
        xenforeignmemory_unmap(ctx->xen->fmem, memory, n);
    }
    return 0;
}

int xenfork__xen_clear_page(xenfork_ctx *ctx, uint32_t domid, uint64_t gfn)
{
    xen_pfn_t pfn = gfn;
    void *memory = map(ctx, domid, PROT_READ | PROT_WRITE, &pfn, 1);

    if (!memory)
        return ctx->error.code;
    memset(memory, 0, XENFORK__PAGE_SIZE);
    xenforeignmemory_unmap(ctx->xen->fmem, memory, 1);
    return 0;
}

int xenfork__xen_fork_memory(xenfork_ctx *ctx, uint32_t image, uint32_t clone)
{
    int e;

    xenfork__count(ctx, XENFORK_COUNT_HYPERCALLS, 1);
    if (!xc_memshr_fork(ctx->xen->xch, image, clone, false, false))
        return 0;
    e = errno;
    return xenfork__fail(ctx, e == ENOMEM ? XENFORK_E_HOSTMEM : XENFORK_E_XEN,
                         e, "domain %u: cannot fork the memory of image %u",
                         clone, image);
}

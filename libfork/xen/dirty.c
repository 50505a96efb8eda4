/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Xen's log of the pages that a domain writes, which a live migration uses, too
 * (XEN_DOMCTL_SHADOW_OP_*, xen/arch/x86/mm/paging.c, 4.17).  It goes together
 * with sharing: a write to a shared page unshares it, and
 * __mem_sharing_unshare_page() marks it.
 */
#include "xen/handles.h"

#include "xen/xen.h"

#include <string.h>

/* Make one operation on the log; @bitmap NULL: it needs none.  0 or errno */
static int operate(xenfork_ctx *ctx, uint32_t domid, uint32_t op, void *bitmap,
                   uint64_t pages, uint32_t *count_out)
{
    struct xen_domctl *domctl = xencall_alloc_buffer(ctx->xen->call,
                                                     sizeof(*domctl));
    int e = 0;

    if (!domctl)
        return ENOMEM;
    memset(domctl, 0, sizeof(*domctl));
    domctl->cmd = XEN_DOMCTL_shadow_op;
    domctl->interface_version = XEN_DOMCTL_INTERFACE_VERSION;
    domctl->domain = (domid_t)domid;
    domctl->u.shadow_op.op = op;
    domctl->u.shadow_op.pages = pages;
    set_xen_guest_handle_raw(domctl->u.shadow_op.dirty_bitmap, bitmap);
    xenfork__count(ctx, XENFORK_COUNT_HYPERCALLS, 1);
    if (xencall1(ctx->xen->call, __HYPERVISOR_domctl,
                 (uint64_t)(uintptr_t)domctl) < 0)
        e = errno;
    else if (count_out)
        *count_out = domctl->u.shadow_op.stats.dirty_count;
    xencall_free_buffer(ctx->xen->call, domctl);
    return e;
}

static int log_failed(xenfork_ctx *ctx, uint32_t domid, const char *what, int e)
{
    xenfork__fail(ctx, XENFORK_E_XEN, e, "domain %u: cannot %s", domid, what);
    if (e != ENOMEM)
        return XENFORK_E_XEN;
    return xenfork__remedy(ctx, "its guest may have used up the memory of its "
                                "page tables: start it again, or raise "
                                "shadow_memory= in its configuration");
}

int xenfork__xen_dirty_begin(xenfork_ctx *ctx, uint32_t domid)
{
    int e = operate(ctx, domid, XEN_DOMCTL_SHADOW_OP_ENABLE_LOGDIRTY, NULL, 0,
                    NULL);

    if (e == EINVAL || e == EBUSY) {
        xenfork__fail(ctx, XENFORK_E_BUSY, 0,
                      "domain %u: Xen logs what it writes for somebody else "
                      "already",
                      domid);
        return xenfork__remedy(ctx, "wait until xl migrate, or whatever does "
                                    "so, has ended");
    }
    if (e)
        return log_failed(ctx, domid, "log what it writes", e);
    /* Xen keeps the count of a log that has ended. */
    e = operate(ctx, domid, XEN_DOMCTL_SHADOW_OP_CLEAN, NULL, 0, NULL);
    if (!e)
        return 0;
    operate(ctx, domid, XEN_DOMCTL_SHADOW_OP_OFF, NULL, 0, NULL);
    return log_failed(ctx, domid, "read what it writes", e);
}

int xenfork__xen_dirty_count(xenfork_ctx *ctx, uint32_t domid,
                             uint64_t *count_out)
{
    uint32_t count;
    int e = operate(ctx, domid, XEN_DOMCTL_SHADOW_OP_PEEK, NULL, 0, &count);

    if (e)
        return log_failed(ctx, domid, "count what it has written", e);
    *count_out = count;
    return 0;
}

int xenfork__xen_dirty_take(xenfork_ctx *ctx, uint32_t domid, uint64_t end,
                            uint64_t *bitmap_out)
{
    size_t bytes = (size_t)(end / 64) * sizeof(*bitmap_out);
    void *bitmap = xencall_alloc_buffer(ctx->xen->call, bytes);
    int e = ENOMEM;

    if (bitmap) {
        memset(bitmap, 0, bytes);
        e = operate(ctx, domid, XEN_DOMCTL_SHADOW_OP_CLEAN, bitmap, end, NULL);
        if (!e)
            memcpy(bitmap_out, bitmap, bytes);
        xencall_free_buffer(ctx->xen->call, bitmap);
    }
    if (!e)
        return 0;
    return log_failed(ctx, domid, "read what it has written", e);
}

int xenfork__xen_dirty_end(xenfork_ctx *ctx, uint32_t domid)
{
    int e = operate(ctx, domid, XEN_DOMCTL_SHADOW_OP_OFF, NULL, 0, NULL);

    if (!e)
        return 0;
    return log_failed(ctx, domid, "stop logging what it writes", e);
}

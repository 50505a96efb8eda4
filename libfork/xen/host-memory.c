/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The host's memory, and what is done to a clone because there is little. */
#include "xen/handles.h"

#include "xen/host-memory.h"

#include <string.h>

#define NODE "/libxl/%u/xenfork-memory"

int xenfork__xen_short(xenfork_ctx *ctx, uint32_t domid, char short_out[16])
{
    cleanup_free char *value = xenfork__xs_read(ctx, XBT_NULL, NODE, domid);

    if (!value && errno != ENOENT)
        return xenfork__fail(ctx, XENFORK_E_XEN, errno,
                             "cannot read whether domain %u lacks memory",
                             domid);
    snprintf(short_out, 16, "%s", value ? value : "");
    return 0;
}

int xenfork__xen_set_short(xenfork_ctx *ctx, uint32_t domid, const char *is)
{
    bool ok = *is ? xenfork__xs_write(ctx, XBT_NULL, is, NODE, domid)
                  : xenfork__xs_rm(ctx, NODE, domid);

    if (!ok)
        return xenfork__fail(ctx, XENFORK_E_XEN, errno,
                             "cannot note whether domain %u lacks memory",
                             domid);
    return 0;
}

bool xenfork__xen_is_heard(xenfork_ctx *ctx, uint32_t domid)
{
    cleanup_free char *note = xenfork__xs_read(ctx, XBT_NULL,
                                               XENFORK__RING_NOTE, domid);

    return note && !strcmp(note, "1");
}

int xenfork__xen_host_memory(xenfork_ctx *ctx,
                             struct xenfork__host_memory *memory_out)
{
    xc_physinfo_t info = {0};
    long shared, saved;

    xenfork__count(ctx, XENFORK_COUNT_HYPERCALLS, 3);
    if (xc_physinfo(ctx->xen->xch, &info) ||
        (shared = xc_sharing_used_frames(ctx->xen->xch)) < 0 ||
        (saved = xc_sharing_freed_pages(ctx->xen->xch)) < 0)
        return xenfork__fail(ctx, XENFORK_E_XEN, errno,
                             "cannot read the host's memory");
    *memory_out = (struct xenfork__host_memory){
        .total_pages = info.total_pages,
        .free_pages = info.free_pages > info.outstanding_pages
                          ? info.free_pages - info.outstanding_pages
                          : 0,
        .claimed_pages = info.outstanding_pages,
        .shared_pages = (uint64_t)shared,
        .saved_pages = (uint64_t)saved};
    return 0;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is done to a clone because the host has little memory. */
#include "xen/handles.h"

#include "xen/xen.h"

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

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Domains by name or number. */
#include "internal.h"

#include "ids.h"

XENFORK_API int xenfork_find(xenfork_ctx *ctx, const char *name,
                             uint32_t *domid_out)
{
    struct xenfork__dominfo info;
    uint32_t domid;
    int rc;

    xenfork__begin(ctx, XENFORK_DOMID_NONE);
    if (!name || !domid_out)
        return xenfork__fail(ctx, XENFORK_E_INVAL, 0, "no name");
    if (xenfork__domid_parse(name, &domid))
        rc = xenfork__xen_info(ctx, domid, &info);
    else
        rc = xenfork__xen_by_name(ctx, name, &domid);
    if (rc == XENFORK_E_NOTFOUND) {
        xenfork__miss(ctx, rc, "there is no domain %s", name);
        return xenfork__remedy(ctx, "xl list shows the domains");
    }
    if (rc == 0)
        *domid_out = domid;
    return rc;
}

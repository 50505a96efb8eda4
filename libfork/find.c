/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Domains by name or number. */
#include "internal.h"

#include <string.h>

#define DOMID_MAX 0x7fefU /* DOMID_FIRST_RESERVED - 1, xen/public/xen.h */

static bool is_number(const char *name, uint32_t *number_out)
{
    unsigned long number;
    char *end;

    if (!name[0] || strspn(name, "0123456789") != strlen(name))
        return false;
    errno = 0;
    number = strtoul(name, &end, 10);
    if (errno || *end || number > DOMID_MAX)
        return false;
    *number_out = (uint32_t)number;
    return true;
}

XENFORK_API int xenfork_find(xenfork_ctx *ctx, const char *name,
                             uint32_t *domid_out)
{
    struct xenfork__dominfo info;
    uint32_t domid;
    int rc;

    if (!name || !domid_out)
        return xenfork__fail(ctx, XENFORK_E_INVAL, 0, "no name");
    if (is_number(name, &domid))
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

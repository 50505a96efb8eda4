/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "op/saved.h"

#include <string.h>

#include "host/host.h"
#include "xen/xen.h"

bool xenfork__is_named_away(const char *name)
{
    static const char end[] = "--migratedaway";
    size_t length = strlen(name);

    return length >= sizeof(end) - 1 &&
           !strcmp(name + length - (sizeof(end) - 1), end);
}

static int is_saved(xenfork_ctx *ctx, uint32_t domid, bool *is_out)
{
    cleanup_free char *name = NULL;
    int rc = 0;

    *is_out = xenfork__sys_is_saved(domid);
    /* libxl's helper has ended by then. */
    if (!*is_out && (rc = xenfork__xen_name(ctx, domid, &name)) == 0)
        *is_out = xenfork__is_named_away(name);
    return rc == XENFORK_E_NOTFOUND ? 0 : rc;
}

int xenfork__saved_refuse(xenfork_ctx *ctx, uint32_t domid)
{
    bool is;
    int rc = is_saved(ctx, domid, &is);

    if (rc < 0 || !is)
        return rc;
    xenfork__fail(ctx, XENFORK_E_BUSY, 0,
                  "domain %u is being saved or migrated now", domid);
    return xenfork__remedy(ctx, "wait until xl save or xl migrate has ended");
}

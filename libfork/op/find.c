/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Domains by name or number. */
#include "base/internal.h"

#include <string.h>

#include "base/ids.h"
#include "op/domain.h"
#include "op/named.h"

XENFORK_API int xenfork_image_find(xenfork_ctx *ctx, const char *name,
                                   uint32_t *domid_out)
{
    cleanup_records struct xenfork__records images = {0};
    struct xenfork__record *image;
    uint32_t domid = XENFORK_DOMID_NONE;
    size_t i;
    int rc;

    xenfork__begin(ctx, XENFORK_DOMID_NONE);
    if (!name || !domid_out)
        return xenfork__fail(ctx, XENFORK_E_INVAL, 0, "no name");
    rc = xenfork__records_load(ctx, XENFORK_KIND_IMAGE, &images);
    if (rc == 0 && xenfork__records_find(ctx, &images, name, &image) == 0) {
        rc = xenfork__name_refresh(ctx, image, &domid);
    } else {
        for (i = 0; i < images.count && rc == 0; i++) {
            rc = xenfork__name_refresh(ctx, images.records[i], &domid);
            if (domid != XENFORK_DOMID_NONE &&
                !strcmp(images.records[i]->name, name))
                break;
            domid = XENFORK_DOMID_NONE;
        }
    }
    if (rc == 0 && domid == XENFORK_DOMID_NONE)
        return xenfork__miss(ctx, XENFORK_E_NOTFOUND, "no image is called %s",
                             name);
    if (rc == 0)
        *domid_out = domid;
    return rc;
}

static int find_domain(xenfork_ctx *ctx, const char *name, uint32_t *domid_out)
{
    struct xenfork__dominfo info;
    uint32_t domid;
    bool is_number = xenfork__domid_parse(name, &domid);
    int rc;

    if (is_number)
        rc = xenfork__xen_info(ctx, domid, &info);
    else
        rc = xenfork__xen_by_name(ctx, name, &domid);
    if (rc == XENFORK_E_NOTFOUND) {
        xenfork__miss(ctx, rc, "there is no domain %s", name);
        return xenfork__remedy(ctx, "xl list shows the domains");
    }
    if (rc < 0)
        return rc;
    if (!is_number && (rc = xenfork__name_check(ctx, name, domid)) < 0)
        return rc;
    *domid_out = domid;
    return 0;
}

XENFORK_API int xenfork_find(xenfork_ctx *ctx, const char *name,
                             uint32_t *domid_out)
{
    xenfork__begin(ctx, XENFORK_DOMID_NONE);
    if (!name || !domid_out)
        return xenfork__fail(ctx, XENFORK_E_INVAL, 0, "no name");
    return find_domain(ctx, name, domid_out);
}

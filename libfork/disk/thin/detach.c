/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Make an overlay on a thin device a file of its own. */
#include "disk/detach.h"

#include <string.h>

#include "disk/disk.h"
#include "disk/thin/thin.h"
#include "xen/xen.h"

/*
 * Switch the records to the file, when both have everything that is written.  A
 * domain that is started by libxl's must not find another disk than the clone's
 * record says, so that a keeper brings them to agree.
 */
static int switch_records(xenfork_ctx *ctx,
                          const struct xenfork__detach_request *request,
                          const void *arg)
{
    (void)arg;
    return request->ops->switched(ctx, request);
}

/* Tell whether libxl's record already leads to the file. */
static int is_gone_over(xenfork_ctx *ctx,
                        const struct xenfork__snapshot *snapshot, bool *is_out)
{
    struct xenfork__config *config;
    uint32_t i;
    int rc = xenfork__xen_config_get(ctx, snapshot->domid, &config);

    if (rc < 0)
        return rc;
    *is_out = false;
    for (i = 0; i < config->disk_count; i++)
        *is_out |= config->disks[i].vdev && config->disks[i].path &&
                   !strcmp(config->disks[i].vdev, snapshot->vdev) &&
                   !strcmp(config->disks[i].path, snapshot->to);
    xenfork__config_free(config);
    return 0;
}

int xenfork__thin_detach_recover(xenfork_ctx *ctx,
                                 const struct xenfork__snapshot *snapshot,
                                 bool *is_switched_out)
{
    int rc;

    *is_switched_out = false;
    if (snapshot->domid == XENFORK_DOMID_NONE)
        return 0;
    rc = is_gone_over(ctx, snapshot, is_switched_out);
    if (rc == 0 && !*is_switched_out)
        rc = xenfork__thin_is_in_both(ctx, snapshot->from, is_switched_out);
    return rc;
}

/* Move a domain's overlay while it runs; copy one that nobody uses. */
int xenfork__thin_make_own(xenfork_ctx *ctx,
                           const struct xenfork__detach_request *request)
{
    cleanup_free char *node = NULL;
    int rc, r;

    if (request->domid != XENFORK_DOMID_NONE &&
        strcmp(request->format, "raw")) {
        xenfork__fail(
            ctx, XENFORK_E_DISK, 0,
            "while its domain runs, disk %s can only become a raw file",
            request->vdev);
        return xenfork__remedy(ctx, "shut it down first, or leave out the "
                                    "format");
    }
    if (request->domid != XENFORK_DOMID_NONE) {
        rc = xenfork__thin_move(ctx, request);
        return rc < 0 ? rc
                      : request->ops->journal(ctx, request, request->to, false,
                                              switch_records, NULL);
    }
    rc = xenfork__thin_attach(ctx, request->path, true, false, &node);
    if (rc < 0)
        return rc;
    rc = xenfork__request_copy(ctx, request, node, "raw");
    r = xenfork__thin_detach(ctx, request->path, node);
    return rc < 0 ? rc : r;
}

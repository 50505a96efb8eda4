/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Make a delta on a thin device a file of its own. */
#include "disk/disk.h"

#include <string.h>

#include "disk/thin/thin.h"
#include "op/detach.h"
#include "state/files.h"

/*
 * Both have all that is written: the records come to lead to the file.  A
 * domain that is started by libxl's must not find another disk than the
 * clone's record says, so that a keeper brings them to agree.
 */
static int go_over(xenfork_ctx *ctx, const struct xenfork__own *own)
{
    struct xenfork__move move;
    int rc = xenfork__move_begin(ctx, own, xenfork__disk_thin_own.name, own->to,
                                 &move);

    if (rc == 0)
        rc = xenfork__move_end(
            ctx, &move,
            xenfork__moved(ctx, &(struct xenfork__cut){.domid = own->domid,
                                                       .vdev = own->vdev,
                                                       .from = own->path,
                                                       .to = own->to}));
    return rc;
}

/* Does libxl's record lead to the file already? */
static int is_gone_over(xenfork_ctx *ctx, const struct xenfork__cut *cut,
                        bool *is_out)
{
    struct xenfork__config *config;
    uint32_t i;
    int rc = xenfork__xen_config_get(ctx, cut->domid, &config);

    if (rc < 0)
        return rc;
    *is_out = false;
    for (i = 0; i < config->disk_count; i++)
        *is_out |= config->disks[i].vdev && config->disks[i].path &&
                   !strcmp(config->disks[i].vdev, cut->vdev) &&
                   !strcmp(config->disks[i].path, cut->to);
    xenfork__config_free(config);
    return 0;
}

static int own_abort(xenfork_ctx *ctx, const struct xenfork__cut *cut)
{
    bool is_over = false;
    int rc;

    if (cut->domid == XENFORK_DOMID_NONE)
        return 0;
    rc = is_gone_over(ctx, cut, &is_over);
    if (rc == 0 && !is_over)
        rc = xenfork__thin_is_in_both(ctx, cut->from, &is_over);
    return rc == 0 && is_over ? xenfork__moved(ctx, cut) : rc;
}

const struct xenfork__disk_driver xenfork__disk_thin_own = {
    .name = "thin-own",
    .why = "for the journal alone",
    .abort = own_abort,
    .remove = xenfork__file_remove,
};

/* A domain's is moved below it; one that nobody uses is a device to copy. */
int xenfork__thin_own(xenfork_ctx *ctx, const struct xenfork__own *own)
{
    cleanup_free char *node = NULL;
    int rc, r;

    if (own->domid != XENFORK_DOMID_NONE && strcmp(own->format, "raw")) {
        xenfork__fail(
            ctx, XENFORK_E_DISK, 0,
            "while its domain runs, disk %s can only become a raw file",
            own->vdev);
        return xenfork__remedy(ctx, "shut it down first, or leave out the "
                                    "format");
    }
    if (own->domid != XENFORK_DOMID_NONE) {
        rc = xenfork__thin_move(ctx, own);
        return rc < 0 ? rc : go_over(ctx, own);
    }
    rc = xenfork__thin_attach(ctx, own->path, true, false, &node);
    if (rc < 0)
        return rc;
    rc = xenfork__detach_copy(ctx, own, node, "raw");
    r = xenfork__thin_detach(ctx, own->path, node);
    return rc < 0 ? rc : r;
}

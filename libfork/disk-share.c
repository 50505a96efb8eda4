/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A read-only disk, and an empty drive: the same for everybody. */
#include "disk.h"

static int share_probe(xenfork_ctx *ctx, const struct xenfork__disk *disk,
                       bool is_frozen)
{
    (void)is_frozen;
    if (!disk->path || !disk->is_readwrite)
        return 0;
    xenfork__miss(ctx, XENFORK_E_DISK, "disk %s (%s) is writable", disk->vdev,
                  disk->path);
    return xenfork__remedy(ctx, "only read-only disks can be shared: attach it "
                                "read-only, or let it be forked");
}

static int share_path(xenfork_ctx *ctx, const struct xenfork__disk *disk,
                      const uint8_t uuid[16], char **path_out)
{
    (void)ctx;
    (void)disk;
    (void)uuid;
    *path_out = NULL;
    return 0;
}

const struct xenfork__disk_driver xenfork__disk_share = {
    .name = "share",
    .why = "nobody writes to it",
    .probe = share_probe,
    .path = share_path,
};

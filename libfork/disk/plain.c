/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A detached disk: a raw file without a base. */
#include "disk/disk.h"

#include "host/host.h"

static int plain_probe(xenfork_ctx *ctx, const struct xenfork__disk *disk,
                       bool is_frozen)
{
    (void)is_frozen;
    xenfork__miss(ctx, XENFORK_E_DISK,
                  "disk %s: the driver plain cannot fork a disk", disk->vdev);
    return xenfork__remedy(ctx, "leave out the driver");
}

const struct xenfork__disk_driver xenfork__disk_plain = {
    .name = "plain",
    .why = "a file of its own",
    .format = "raw",
    .probe = plain_probe,
    .remove = xenfork__raw_remove,
    .usage = xenfork__sys_file_usage,
};

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Whether a path leads to what serves a domain's disk, of whatever driver. */
#include "disk/disk.h"

#include "disk/thin/thin.h"

int xenfork__disk_is_served(xenfork_ctx *ctx, uint32_t domid, const char *vdev,
                            const char *path)
{
    return xenfork__xen_disk_served(ctx, domid, vdev, path,
                                    xenfork__thin_number);
}

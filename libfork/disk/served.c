/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Check that a path leads to the file that serves a domain's disk, of any
 * driver.
 */
#include "disk/disk.h"

#include "disk/thin/thin.h"

int xenfork__disk_is_served(xenfork_ctx *ctx, uint32_t domid, const char *vdev,
                            const char *path)
{
    return xenfork__xen_disk_served(ctx, domid, vdev, path,
                                    xenfork__thin_number);
}

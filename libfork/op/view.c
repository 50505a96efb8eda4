/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "op/view.h"

#include "disk/disk.h"

XENFORK_API const char *xenfork_disk_vdev(const xenfork_disk *disk)
{
    return disk ? disk->vdev : NULL;
}

XENFORK_API const char *xenfork_disk_driver(const xenfork_disk *disk)
{
    return disk ? disk->driver : NULL;
}

XENFORK_API const char *xenfork_disk_path(const xenfork_disk *disk)
{
    return disk ? disk->path : NULL;
}

XENFORK_API const char *xenfork_disk_why(const xenfork_disk *disk)
{
    return disk ? disk->why : NULL;
}

XENFORK_API uint32_t xenfork_disk_depth(const xenfork_disk *disk)
{
    return disk ? disk->depth : 0;
}

XENFORK_API uint32_t xenfork_disk_users(const xenfork_disk *disk)
{
    return disk ? disk->users : 0;
}

XENFORK_API int xenfork_disk_usage(xenfork_ctx *ctx, const xenfork_disk *disk,
                                   uint64_t *allocated_kib_out,
                                   uint64_t *own_kib_out)
{
    const struct xenfork__disk_driver *driver;

    xenfork__begin(ctx, XENFORK_DOMID_NONE);
    if (!disk || !disk->path || !allocated_kib_out || !own_kib_out)
        return xenfork__fail(ctx, XENFORK_E_INVAL, 0, "no such disk");
    driver = xenfork__disk_driver(disk->driver);
    if (!driver || !driver->usage)
        return xenfork__fail(ctx, XENFORK_E_STATE, 0,
                             "%s has been made by the driver %s, which is "
                             "unknown",
                             disk->path, disk->driver);
    return driver->usage(ctx, disk->path, allocated_kib_out, own_kib_out);
}

XENFORK_API const char *xenfork_nic_vif(const xenfork_nic *nic)
{
    return nic && nic->vif[0] ? nic->vif : NULL;
}

XENFORK_API const char *xenfork_nic_mac(const xenfork_nic *nic)
{
    return nic ? nic->mac : NULL;
}

XENFORK_API int xenfork_nic_link(const xenfork_nic *nic)
{
    return nic ? nic->link : XENFORK_LINK_HOLD;
}

XENFORK_API int xenfork_nic_is_held(const xenfork_nic *nic)
{
    return nic && nic->is_held;
}

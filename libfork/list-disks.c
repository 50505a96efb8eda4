/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The disks of a list's entries. */
#include "list.h"

#include <string.h>

#include "disk.h"

XENFORK_API uint32_t xenfork_list_disk_count(const xenfork_list *list,
                                             uint32_t index)
{
    const struct xenfork__node *n = xenfork__list_node(list, index);

    return n ? n->disk_count : 0;
}

static const struct xenfork__node_disk *disk_at(const xenfork_list *list,
                                                uint32_t index, uint32_t disk)
{
    const struct xenfork__node *n = xenfork__list_node(list, index);

    return n && disk < n->disk_count ? &n->disks[disk] : NULL;
}

XENFORK_API const char *xenfork_list_disk_vdev(const xenfork_list *list,
                                               uint32_t index, uint32_t disk)
{
    const struct xenfork__node_disk *d = disk_at(list, index, disk);

    return d ? d->vdev : NULL;
}

XENFORK_API const char *xenfork_list_disk_path(const xenfork_list *list,
                                               uint32_t index, uint32_t disk)
{
    const struct xenfork__node_disk *d = disk_at(list, index, disk);

    return d ? d->path : NULL;
}

XENFORK_API const char *xenfork_list_disk_driver(const xenfork_list *list,
                                                 uint32_t index, uint32_t disk)
{
    const struct xenfork__node_disk *d = disk_at(list, index, disk);

    return d ? d->driver : NULL;
}

/* The drivers there are make snapshots that know of no parent. */
XENFORK_API uint32_t xenfork_list_disk_depth(const xenfork_list *list,
                                             uint32_t index, uint32_t disk)
{
    return disk_at(list, index, disk) ? 1 : 0;
}

static bool has_disk(const struct xenfork__node *node, uint32_t index)
{
    uint32_t i;

    for (i = 0; i < node->disk_count; i++)
        if (node->disks[i].index == index)
            return true;
    return false;
}

XENFORK_API uint32_t xenfork_list_disk_users(const xenfork_list *list,
                                             uint32_t index, uint32_t disk)
{
    const struct xenfork__node *image = xenfork__list_node(list, index);
    const struct xenfork__node_disk *d = disk_at(list, index, disk);
    const struct xenfork__node *node;
    uint32_t i, users = 0;

    for (i = 0; d && (node = xenfork__list_node(list, i)); i++)
        users += node->kind == XENFORK_KIND_CLONE &&
                 !memcmp(node->parent, image->uuid, sizeof(image->uuid)) &&
                 has_disk(node, d->index);
    return users;
}

XENFORK_API int xenfork_disk_usage(xenfork_ctx *ctx, const xenfork_list *list,
                                   uint32_t index, uint32_t disk,
                                   uint64_t *allocated_kib_out,
                                   uint64_t *own_kib_out)
{
    const struct xenfork__node_disk *d = disk_at(list, index, disk);
    const struct xenfork__disk_driver *driver;

    xenfork__begin(ctx, XENFORK_DOMID_NONE);
    if (!d || !allocated_kib_out || !own_kib_out)
        return xenfork__fail(ctx, XENFORK_E_INVAL, 0, "no such disk");
    driver = xenfork__disk_driver(d->driver);
    if (!driver || !driver->usage)
        return xenfork__fail(ctx, XENFORK_E_STATE, 0,
                             "%s has been made by the driver %s, which is "
                             "unknown",
                             d->path, d->driver);
    return driver->usage(ctx, d->path, allocated_kib_out, own_kib_out);
}

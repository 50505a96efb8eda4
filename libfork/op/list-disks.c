/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The disks of a list's entries. */
#include "op/list.h"

#include <string.h>

#include "disk/base.h"
#include "disk/disk.h"

/* No chain is longer. */
#define MAX_DEPTH 4096U

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

/* What cannot be read, or is not there any more, ends the chain. */
static uint32_t measure(xenfork_ctx *ctx, const struct xenfork__node_disk *disk)
{
    const struct xenfork__disk_driver *driver = xenfork__disk_driver(
        disk->driver);
    cleanup_free char *path = strdup(disk->path);
    uint32_t depth = 1;

    while (driver && driver->parent && path && depth < MAX_DEPTH) {
        char *parent = NULL;

        if (driver->parent(ctx, path, &parent) < 0 || !parent)
            break;
        free(path);
        path = parent;
        depth++;
    }
    return depth;
}

void xenfork__list_depths(xenfork_ctx *ctx, struct xenfork__node *node)
{
    uint32_t i;

    for (i = 0; i < node->disk_count; i++)
        node->disks[i].depth = measure(ctx, &node->disks[i]);
}

/* The record is called UUID-VDEV, after the image that was. */
static int sealed_node(xenfork_ctx *ctx, const char *name,
                       const struct xenfork__sealed *sealed,
                       struct xenfork__node **node_out)
{
    cleanup_node struct xenfork__node *node = calloc(1, sizeof(*node));
    char uuid[XENFORK__UUID_CHARS];
    size_t n = sizeof(uuid) - 1;
    int rc;

    if (!node)
        return xenfork__nomem(ctx);
    node->kind = XENFORK_KIND_SEALED;
    node->domid = XENFORK_DOMID_NONE;
    snprintf(uuid, sizeof(uuid), "%s", name);
    if (strlen(name) <= n + 1 || !xenfork__uuid_parse(uuid, node->uuid))
        return xenfork__fail(ctx, XENFORK_E_STATE, 0,
                             "%s is no name of a sealed disk", name);
    rc = xenfork__node_add_disk(ctx, node, 0, name + n + 1, sealed->driver,
                                sealed->path, "");
    if (rc == 0)
        *node_out = steal_ptr(node);
    return rc;
}

int xenfork__list_sealed(xenfork_ctx *ctx, struct xenfork__nodes *out)
{
    cleanup_sealed struct xenfork__sealed_list list = {0};
    cleanup_nodes struct xenfork__nodes nodes = {0};
    int rc = xenfork__sealed_load(ctx, &list);

    if (rc < 0)
        return rc;
    nodes.nodes = calloc(list.count + 1, sizeof(*nodes.nodes));
    if (!nodes.nodes)
        return xenfork__nomem(ctx);
    for (; nodes.count < list.count; nodes.count++) {
        rc = sealed_node(ctx, list.names[nodes.count], &list.items[nodes.count],
                         &nodes.nodes[nodes.count]);
        if (rc < 0)
            return rc;
    }
    *out = nodes;
    nodes = (struct xenfork__nodes){0};
    return 0;
}

XENFORK_API uint32_t xenfork_list_disk_depth(const xenfork_list *list,
                                             uint32_t index, uint32_t disk)
{
    const struct xenfork__node_disk *d = disk_at(list, index, disk);

    return d ? d->depth : 0;
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

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The disks of a list's entries. */
#include "op/list.h"

#include <string.h>

#include "disk/base.h"
#include "disk/disk.h"

/* No chain is longer. */
#define MAX_DEPTH 4096U

/* Count the layers: a file that cannot be read, or is gone, ends the chain. */
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

/*
 * Make a record of a base, whose own record is called UUID-VDEV, after the
 * former image.
 */
static int base_node(xenfork_ctx *ctx, const char *name,
                     const struct xenfork__sealed *sealed,
                     struct xenfork__node **node_out)
{
    cleanup_node struct xenfork__node *node = calloc(1, sizeof(*node));
    char uuid[XENFORK__UUID_CHARS];
    size_t n = sizeof(uuid) - 1;
    int rc;

    if (!node)
        return xenfork__nomem(ctx);
    node->kind = XENFORK_KIND_BASE;
    node->domid = XENFORK_DOMID_NONE;
    snprintf(uuid, sizeof(uuid), "%s", name);
    if (strlen(name) <= n + 1 || !xenfork__uuid_parse(uuid, node->uuid))
        return xenfork__fail(ctx, XENFORK_E_STATE, 0,
                             "%s is not the name of a base", name);
    rc = xenfork__node_add_disk(ctx, node, 0, name + n + 1, sealed->driver,
                                sealed->path, "");
    if (rc == 0)
        *node_out = steal_ptr(node);
    return rc;
}

int xenfork__list_bases(xenfork_ctx *ctx, struct xenfork__nodes *out)
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
        rc = base_node(ctx, list.names[nodes.count], &list.items[nodes.count],
                       &nodes.nodes[nodes.count]);
        if (rc < 0)
            return rc;
    }
    *out = nodes;
    nodes = (struct xenfork__nodes){0};
    return 0;
}

static bool has_disk(const struct xenfork__node *node, uint32_t index)
{
    uint32_t i;

    for (i = 0; i < node->disk_count; i++)
        if (node->disks[i].index == index)
            return true;
    return false;
}

/* Count the clones of an image that have this disk. */
static uint32_t count_users(const xenfork_list *list,
                            const struct xenfork__node *image, uint32_t index)
{
    uint32_t i, users = 0;

    for (i = 0; i < list->count; i++) {
        const struct xenfork__node *node = list->entries[i].node;

        users += node->kind == XENFORK_KIND_CLONE &&
                 !memcmp(node->parent, image->uuid, sizeof(image->uuid)) &&
                 has_disk(node, index);
    }
    return users;
}

int xenfork__list_fill_disks(xenfork_ctx *ctx, const xenfork_list *list,
                             struct xenfork_entry *entry)
{
    const struct xenfork__node *node = entry->node;
    uint32_t i;

    entry->disks = calloc(node->disk_count + 1, sizeof(*entry->disks));
    if (!entry->disks)
        return xenfork__nomem(ctx);
    for (i = 0; i < node->disk_count; i++) {
        const struct xenfork__node_disk *disk = &node->disks[i];

        entry->disks[i] = (struct xenfork_disk){
            .vdev = disk->vdev,
            .path = disk->path,
            .driver = disk->driver,
            .depth = node->kind == XENFORK_KIND_JOURNAL ? 0
                                                        : measure(ctx, disk),
            .users = count_users(list, node, disk->index)};
    }
    return 0;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "state/record.h"

#include <string.h>

void xenfork__node_free(struct xenfork__node *node)
{
    uint32_t i;

    if (!node)
        return;
    for (i = 0; i < node->disk_count; i++) {
        free(node->disks[i].vdev);
        free(node->disks[i].driver);
        free(node->disks[i].path);
        free(node->disks[i].from);
        free(node->disks[i].other_driver);
        free(node->disks[i].other);
    }
    free(node->disks);
    free(node->shared);
    free(node->nics);
    free(node->name);
    free(node->parent_name);
    free(node->left);
    free(node);
}

int xenfork__node_add_disk(xenfork_ctx *ctx, struct xenfork__node *node,
                           uint32_t index, const char *vdev, const char *driver,
                           const char *path, const char *from)
{
    struct xenfork__node_disk *disks;
    cleanup_free char *v = strdup(vdev);
    cleanup_free char *d = strdup(driver);
    cleanup_free char *p = strdup(path);
    cleanup_free char *f = strdup(from);

    disks = reallocarray(node->disks, node->disk_count + 1, sizeof(*disks));
    if (disks)
        node->disks = disks;
    if (!disks || !v || !d || !p || !f)
        return xenfork__nomem(ctx);
    disks[node->disk_count++] = (struct xenfork__node_disk){
        .index = index,
        .vdev = steal_ptr(v),
        .driver = steal_ptr(d),
        .path = steal_ptr(p),
        .from = steal_ptr(f)};
    return xenfork__node_disk_beside(ctx, node, node->disk_count - 1, "", "");
}

int xenfork__node_disk_beside(xenfork_ctx *ctx, struct xenfork__node *node,
                              uint32_t disk, const char *driver,
                              const char *path)
{
    struct xenfork__node_disk *d = &node->disks[disk];
    cleanup_free char *by = strdup(driver);
    cleanup_free char *other = strdup(path);

    if (!by || !other)
        return xenfork__nomem(ctx);
    free(d->other_driver);
    free(d->other);
    d->other_driver = steal_ptr(by);
    d->other = steal_ptr(other);
    return 0;
}

void xenfork__node_disk_swap(struct xenfork__node *node, uint32_t disk)
{
    struct xenfork__node_disk *d = &node->disks[disk];
    char *driver = d->driver, *path = d->path;

    d->driver = d->other_driver;
    d->path = d->other;
    d->other_driver = driver;
    d->other = path;
}

int xenfork__node_add_shared(xenfork_ctx *ctx, struct xenfork__node *node,
                             const char *vdev, const char *is)
{
    struct xenfork__node_shared *shared = reallocarray(
        node->shared, node->shared_count + 1, sizeof(*shared));

    if (!shared)
        return xenfork__nomem(ctx);
    node->shared = shared;
    shared += node->shared_count++;
    snprintf(shared->vdev, sizeof(shared->vdev), "%s", vdev);
    snprintf(shared->is, sizeof(shared->is), "%s", is);
    return 0;
}

int xenfork__node_add_nic(xenfork_ctx *ctx, struct xenfork__node *node,
                          int devid, const uint8_t mac[6], int link)
{
    struct xenfork__node_nic *nics = reallocarray(
        node->nics, node->nic_count + 1, sizeof(*nics));

    if (!nics)
        return xenfork__nomem(ctx);
    node->nics = nics;
    nics += node->nic_count++;
    *nics = (struct xenfork__node_nic){.devid = devid, .link = link};
    memcpy(nics->mac, mac, sizeof(nics->mac));
    xenfork__mac_print(mac, nics->mac_text);
    return 0;
}

void xenfork__node_set_domid(const xenfork_ctx *ctx, struct xenfork__node *node,
                             uint32_t domid)
{
    node->domid = domid;
    strcpy(node->boot, ctx->boot);
}

bool xenfork__node_has_domid(const xenfork_ctx *ctx,
                             const struct xenfork__node *node, uint32_t domid)
{
    return node->domid == domid && !strcmp(node->boot, ctx->boot);
}

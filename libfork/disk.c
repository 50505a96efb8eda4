/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "disk.h"

#include "files.h"

/* In order of preference. */
static const struct xenfork__disk_driver *const drivers[] = {
    &xenfork__disk_share, &xenfork__disk_reflink};

int xenfork__disk_choose(xenfork_ctx *ctx, const struct xenfork__disk *disk,
                         const struct xenfork__disk_driver **driver_out)
{
    size_t i;
    int rc = 0;

    for (i = 0; i < ARRAY_SIZE(drivers); i++) {
        rc = drivers[i]->probe(ctx, disk);
        if (rc == 0) {
            *driver_out = drivers[i];
            return 0;
        }
        if (rc != XENFORK_E_DISK)
            return rc;
    }
    return rc; /* the last one's text says what it would take */
}

/* A read-only disk, and an empty drive: the same for everybody. */
static int share_probe(xenfork_ctx *ctx, const struct xenfork__disk *disk)
{
    if (disk->path && disk->is_readwrite)
        return xenfork__miss(ctx, XENFORK_E_DISK, "disk %s is writable",
                             disk->vdev);
    return 0;
}

static char *share_path(const struct xenfork__disk *disk,
                        const uint8_t uuid[16])
{
    (void)disk;
    (void)uuid;
    return NULL;
}

const struct xenfork__disk_driver xenfork__disk_share = {
    .name = "share", .probe = share_probe, .path = share_path};

int xenfork__disks_prepare(xenfork_ctx *ctx, struct xenfork__txn *txn,
                           const struct xenfork__config *config,
                           struct xenfork__node *image)
{
    uint32_t i;

    for (i = 0; i < config->disk_count; i++) {
        const struct xenfork__disk *disk = &config->disks[i];
        const struct xenfork__disk_driver *driver = NULL;
        cleanup_free char *path = NULL;
        int rc = xenfork__disk_choose(ctx, disk, &driver);

        if (rc < 0)
            return rc;
        path = driver->path(disk, image->uuid);
        if (!path)
            continue;
        if ((rc = xenfork__txn_file(ctx, txn, path)) < 0 ||
            (rc = driver->prepare(ctx, disk->path, path)) < 0 ||
            (rc = xenfork__node_add_disk(ctx, image, i, disk->vdev, path)) < 0)
            return rc;
    }
    return 0;
}

int xenfork__disks_cut(xenfork_ctx *ctx, const struct xenfork__config *config,
                       const struct xenfork__node *image)
{
    uint32_t i;

    for (i = 0; i < image->disk_count; i++) {
        const struct xenfork__node_disk *sealed = &image->disks[i];
        const struct xenfork__disk *disk = &config->disks[sealed->index];
        const struct xenfork__disk_driver *driver = NULL;
        int rc = xenfork__disk_choose(ctx, disk, &driver);

        if (rc < 0 || (rc = driver->cut(ctx, disk->path, sealed->path)) < 0)
            return rc;
    }
    return 0;
}

static int clone_one(xenfork_ctx *ctx, struct xenfork__txn *txn,
                     const struct xenfork__disk *disk,
                     const struct xenfork__node_disk *sealed,
                     struct xenfork__node *clone)
{
    /* The one driver that seals files.  Issue 4 records it in the node. */
    const struct xenfork__disk_driver *driver = &xenfork__disk_reflink;
    cleanup_free char *path = driver->path(disk, clone->uuid);
    int rc;

    if (!path)
        return xenfork__nomem(ctx);
    if ((rc = xenfork__txn_file(ctx, txn, path)) < 0 ||
        (rc = driver->clone(ctx, sealed->path, path)) < 0)
        return rc;
    return xenfork__node_add_disk(ctx, clone, sealed->index, sealed->vdev,
                                  path);
}

int xenfork__disks_clone(xenfork_ctx *ctx, struct xenfork__txn *txn,
                         const struct xenfork__config *config,
                         const struct xenfork__node *image,
                         struct xenfork__node *clone, char ***paths_out)
{
    cleanup_free char **paths = calloc(config->disk_count + 1, sizeof(char *));
    uint32_t i;

    if (!paths)
        return xenfork__nomem(ctx);
    for (i = 0; i < image->disk_count; i++) {
        const struct xenfork__node_disk *sealed = &image->disks[i];
        int rc;

        if (sealed->index >= config->disk_count)
            return xenfork__fail(ctx, XENFORK_E_STATE, 0,
                                 "image %s records a disk that it has not",
                                 image->name);
        rc = clone_one(ctx, txn, &config->disks[sealed->index], sealed, clone);
        if (rc < 0)
            return rc;
    }
    for (i = 0; i < clone->disk_count; i++)
        paths[clone->disks[i].index] = clone->disks[i].path;
    *paths_out = steal_ptr(paths);
    return 0;
}

int xenfork__disks_remove(xenfork_ctx *ctx, const struct xenfork__node *node)
{
    uint32_t i;
    int rc = 0, r;

    for (i = 0; i < node->disk_count; i++) {
        r = xenfork__file_remove(ctx, node->disks[i].path);
        rc = rc < 0 ? rc : r;
    }
    return rc;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Thin volumes of LVM.  A fork takes one thin snapshot of the source's volume,
 * in the same pool; the source goes on writing to its own volume, so nothing
 * is switched and no chain grows.
 */
#include "disk/disk.h"

#include <string.h>

#include "base/ids.h"
#include "host/host.h"

static int is_thin(xenfork_ctx *ctx, const struct xenfork__disk *disk)
{
    if (!disk->path || disk->is_foreign || disk->is_cdrom ||
        strcmp(disk->format, "raw") || strcmp(disk->backend, "phy") ||
        (disk->script && disk->script[0]))
        return xenfork__miss(ctx, XENFORK_E_DISK,
                             "disk %s is not a volume served by blkback",
                             disk->vdev);
    return xenfork__sys_lv_is_thin(ctx, disk->path);
}

/*
 * Own every thin volume: only this driver can tell why its pool makes no
 * snapshot.
 */
static bool lvthin_owns(xenfork_ctx *ctx, const struct xenfork__disk *disk)
{
    keep_error struct xenfork__kept kept = xenfork__keep(ctx);
    bool is_owned = is_thin(ctx, disk) == 0;

    return is_owned;
}

static int lvthin_probe(xenfork_ctx *ctx, const struct xenfork__disk *disk,
                        bool is_frozen)
{
    int rc = is_thin(ctx, disk);

    (void)is_frozen;
    if (rc == XENFORK_E_DISK)
        return xenfork__remedy(
            ctx,
            "the driver lvthin is for thin volumes of LVM with backend phy");
    if (rc < 0)
        return rc;
    rc = xenfork__sys_lv_check_pool(ctx, disk->path);
    return rc == XENFORK_E_DISK || rc == XENFORK_E_NOSPC
               ? xenfork__disk_refuse_so(ctx, disk)
               : rc;
}

static int lvthin_path(xenfork_ctx *ctx, const struct xenfork__disk *disk,
                       const uint8_t uuid[16], char **path_out)
{
    char text[XENFORK__UUID_CHARS];
    cleanup_free char *dir = NULL;
    int rc = xenfork__sys_lv_dir(ctx, disk->path, &dir);

    if (rc < 0)
        return rc;
    xenfork__uuid_print(uuid, text);
    if (asprintf(path_out, "%s/xenfork-%s-%s", dir, text, disk->vdev) < 0)
        return xenfork__nomem(ctx);
    return 0;
}

/* Commit now what the pool has not committed, not in the stun. */
static int lvthin_prepare(xenfork_ctx *ctx,
                          const struct xenfork__snapshot *snapshot)
{
    return xenfork__sys_disk_flush(ctx, snapshot->from);
}

static int lvthin_snapshot(xenfork_ctx *ctx,
                           const struct xenfork__snapshot *snapshot)
{
    return xenfork__sys_lv_snapshot(ctx, snapshot->from, snapshot->to, true);
}

static int lvthin_clone(xenfork_ctx *ctx, const char *from, const char *to)
{
    return xenfork__sys_lv_snapshot(ctx, from, to, false);
}

/*
 * Return the space of a volume; only the pool's metadata tell how much is
 * shared.
 */
static int lvthin_usage(xenfork_ctx *ctx, const char *path,
                        uint64_t *allocated_kib_out, uint64_t *own_kib_out)
{
    int rc = xenfork__sys_lv_usage(ctx, path, allocated_kib_out);

    if (rc == 0)
        *own_kib_out = XENFORK_NOT_KNOWN;
    return rc;
}

const struct xenfork__disk_driver xenfork__disk_lvthin = {
    .name = "lvthin",
    .why = "a thin volume of LVM",
    .format = "raw",
    .owns = lvthin_owns,
    .probe = lvthin_probe,
    .path = lvthin_path,
    .prepare = lvthin_prepare,
    .snapshot = lvthin_snapshot,
    .clone = lvthin_clone,
    .remove = xenfork__sys_lv_remove,
    .exists = xenfork__sys_lv_exists,
    .usage = lvthin_usage,
};

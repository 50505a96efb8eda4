/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A read-only disk, and an empty drive: the same for everybody. */
#include "disk/disk.h"

#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#include "host/dm.h"

/* "file 2049 131"; "": nothing here, or nothing that can be compared */
static int identify(xenfork_ctx *ctx, const struct xenfork__disk *disk,
                    char is_out[64])
{
    const char *file = disk->path ? strchr(disk->path, '/') : NULL;
    struct xenfork__disk_identity identity;
    struct stat st;
    int rc;

    is_out[0] = '\0';
    if (!file || disk->is_foreign || stat(file, &st) ||
        (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode)))
        return 0;
    rc = xenfork__sys_disk_identity(ctx, file, &identity);
    if (rc == 0)
        snprintf(is_out, 64, "%s %" PRIu64 " %" PRIu64,
                 identity.is_device ? "device" : "file", identity.device,
                 identity.inode);
    return rc;
}

int xenfork__shared_note(xenfork_ctx *ctx, struct xenfork__node *image,
                         uint32_t index, const struct xenfork__disk *disk)
{
    char is[64];
    int rc = identify(ctx, disk, is);

    return rc < 0 || !is[0] ? rc
                            : xenfork__node_add_shared(ctx, image, index, is);
}

int xenfork__shared_check(xenfork_ctx *ctx, const struct xenfork__node *image,
                          uint32_t index, const struct xenfork__disk *disk)
{
    char is[64];
    uint32_t i;
    int rc;

    for (i = 0; i < image->shared_count; i++) {
        if (image->shared[i].index != index)
            continue;
        rc = identify(ctx, disk, is);
        if (rc < 0 || !strcmp(is, image->shared[i].is))
            return rc;
        xenfork__fail(ctx, XENFORK_E_DISK, 0,
                      "disk %s (%s) of image %s: the path leads to another "
                      "disk than when the image was made",
                      disk->vdev, disk->path, image->name);
        return xenfork__remedy(ctx,
                               "let it lead there again, or make clones "
                               "without it (--disk %s=none)",
                               disk->vdev);
    }
    return 0;
}

static int share_probe(xenfork_ctx *ctx, const struct xenfork__disk *disk,
                       bool is_frozen)
{
    (void)is_frozen;
    if (!disk->path || !disk->is_readwrite)
        return 0;
    xenfork__miss(ctx, XENFORK_E_DISK, "disk %s (%s) is writable", disk->vdev,
                  disk->path);
    return xenfork__remedy(ctx, "only read-only disks can be shared: attach it "
                                "read-only, or let it be forked");
}

static int share_path(xenfork_ctx *ctx, const struct xenfork__disk *disk,
                      const uint8_t uuid[16], char **path_out)
{
    (void)ctx;
    (void)disk;
    (void)uuid;
    *path_out = NULL;
    return 0;
}

const struct xenfork__disk_driver xenfork__disk_share = {
    .name = "share",
    .why = "nobody writes to it",
    .probe = share_probe,
    .path = share_path,
};

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A read-only disk, and an empty drive: the same for everybody. */
#include "disk/disk.h"

#include <string.h>

#include "host/dm.h"

/* Identify a disk; "": there is nothing that can be compared */
static int identify_disk(xenfork_ctx *ctx, const struct xenfork__disk *disk,
                         char is_out[XENFORK__DISK_IS])
{
    const char *file = disk->path ? strchr(disk->path, '/') : NULL;

    is_out[0] = '\0';
    return !file || disk->is_foreign ? 0
                                     : xenfork__sys_disk_is(ctx, file, is_out);
}

int xenfork__shared_note(xenfork_ctx *ctx, struct xenfork__record *record,
                         const struct xenfork__disk *disk)
{
    char is[XENFORK__DISK_IS];
    int rc = identify_disk(ctx, disk, is);

    return rc < 0 || !is[0]
               ? rc
               : xenfork__record_add_shared(ctx, record, disk->vdev, is);
}

/* Return what the disk was; NULL: not noted */
static const char *noted(const struct xenfork__record *record,
                         const struct xenfork__disk *disk)
{
    uint32_t i;

    for (i = 0; i < record->shared_count; i++)
        if (disk->vdev && !strcmp(record->shared[i].vdev, disk->vdev))
            return record->shared[i].is;
    return NULL;
}

/* Compare the file alone; whether it was written since is another question. */
static bool is_same_disk(const char *a, const char *b)
{
    const char *end = strstr(a, XENFORK__DISK_WRITTEN);
    size_t length = end ? (size_t)(end - a) + 1 : strlen(a) + 1;

    return !strncmp(a, b, length);
}

int xenfork__shared_check(xenfork_ctx *ctx, const struct xenfork__record *image,
                          const struct xenfork__disk *disk)
{
    const char *was = noted(image, disk);
    char is[XENFORK__DISK_IS];
    int rc;

    if (!was || (rc = identify_disk(ctx, disk, is)) < 0 ||
        is_same_disk(was, is))
        return was ? rc : 0;
    xenfork__fail(ctx, XENFORK_E_DISK, 0,
                  "disk %s (%s) of image %s: the path leads to another "
                  "disk than when the image was made",
                  disk->vdev, disk->path, image->name);
    return xenfork__remedy(ctx,
                           "let it lead there again, or make clones "
                           "without it (--disk %s=none)",
                           disk->vdev);
}

int xenfork__shared_check_start(xenfork_ctx *ctx,
                                const struct xenfork__record *clone,
                                const struct xenfork__disk *disk)
{
    const char *was = noted(clone, disk);
    char is[XENFORK__DISK_IS];
    int rc;

    if (!was || (rc = identify_disk(ctx, disk, is)) < 0 || !strcmp(was, is))
        return was ? rc : 0;
    xenfork__fail(ctx, XENFORK_E_INUSE, 0,
                  "clone %s: its read-only disk %s (%s) %s", clone->name,
                  disk->vdev, disk->path,
                  !is[0] ? "is missing"
                  : is_same_disk(was, is)
                      ? "was written to since the clone was made"
                      : "is another one than when the clone was made");
    return xenfork__remedy(ctx,
                           "let the path lead to what the clone had; or, if "
                           "it is to have this one: xl fork-start --yes %s",
                           clone->name);
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

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Functions that the drivers for raw files and devices share. */
#include "disk/disk.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/ids.h"
#include "state/files.h"

#define SUBDIR ".xenfork"

int xenfork__disk_refuse(xenfork_ctx *ctx, const struct xenfork__disk *disk,
                         const char *why, const char *remedy)
{
    xenfork__miss_disk(ctx, disk->vdev, disk->path, "%s", why);
    return xenfork__remedy(ctx, "%s", remedy);
}

int xenfork__disk_refuse_so(xenfork_ctx *ctx, const struct xenfork__disk *disk)
{
    __auto_type said = ctx->error;

    xenfork__miss_disk(ctx, disk->vdev, disk->path, "%s", said.text);
    ctx->error.code = said.code;
    return xenfork__remedy(ctx, "%s", said.remedy);
}

int xenfork__raw_refuse(xenfork_ctx *ctx, const struct xenfork__disk *disk,
                        const char *why)
{
    return xenfork__disk_refuse(
        ctx, disk, why,
        "keep the disk as a raw file (backend phy, no script= but "
        "block-fork), attach it read-only, or detach it");
}

int xenfork__raw_refuse_full(xenfork_ctx *ctx, const struct xenfork__disk *disk)
{
    xenfork__raw_refuse(ctx, disk, "its file system is full");
    ctx->error.code = XENFORK_E_NOSPC;
    return xenfork__remedy(ctx, "make room there");
}

bool xenfork__raw_has_script(const struct xenfork__disk *disk, const char *name)
{
    const char *slash;

    if (!disk->script || !disk->script[0])
        return false;
    slash = strrchr(disk->script, '/');
    return !strcmp(slash ? slash + 1 : disk->script, name);
}

int xenfork__raw_probe(xenfork_ctx *ctx, const struct xenfork__disk *disk,
                       bool *is_file_out)
{
    struct stat st;

    if (!disk->path)
        return xenfork__raw_refuse(ctx, disk, "the drive is empty");
    if (disk->is_foreign)
        return xenfork__raw_refuse(ctx, disk,
                                   "its backend is in another domain");
    if (disk->is_cdrom)
        return xenfork__raw_refuse(ctx, disk, "it is a CD-ROM drive");
    if (strcmp(disk->format, "raw"))
        return xenfork__raw_refuse(ctx, disk, "its format is not raw");
    if (strcmp(disk->backend, "phy"))
        return xenfork__raw_refuse(ctx, disk, "it is not served by blkback");
    if (disk->path[0] != '/' || stat(disk->path, &st))
        return xenfork__raw_refuse(ctx, disk, "the file cannot be found");
    if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode))
        return xenfork__raw_refuse(ctx, disk,
                                   "it is neither a file nor a block device");
    *is_file_out = S_ISREG(st.st_mode);
    return 0;
}

/*
 * Return a path in ".xenfork"; a clone's file is there already, and so are
 * those of its clones.
 */
int xenfork__raw_path(xenfork_ctx *ctx, const char *path, const char *vdev,
                      const uint8_t uuid[16], const char *suffix,
                      char **path_out)
{
    const char *slash = strrchr(path, '/');
    size_t dir = (size_t)(slash - path);
    size_t sub = strlen("/" SUBDIR);
    bool is_inside = dir >= sub && !strncmp(slash - sub, "/" SUBDIR, sub);
    char text[XENFORK__UUID_CHARS];

    xenfork__uuid_print(uuid, text);
    if (asprintf(path_out, "%.*s%s/%s-%s%s", (int)dir, path,
                 is_inside ? "" : "/" SUBDIR, text, vdev, suffix) < 0)
        return xenfork__nomem(ctx);
    return 0;
}

int xenfork__raw_remove(xenfork_ctx *ctx, const char *path)
{
    cleanup_free char *dir = strdup(path);
    char *name;
    int rc = xenfork__file_remove(ctx, path);

    if (rc < 0 || !dir)
        return rc < 0 ? rc : xenfork__nomem(ctx);
    *strrchr(dir, '/') = '\0';
    name = strrchr(dir, '/');
    if (name && !strcmp(name, "/" SUBDIR))
        rmdir(dir);
    return 0;
}

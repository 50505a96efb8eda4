/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Raw files on XFS or btrfs.  The cut is one FICLONE of the source's file;
 * the source goes on writing to its own file, so nothing is switched and no
 * chain grows.  Files lie in ".xenfork" beside the source's file: a reflink
 * cannot leave its file system.
 */
#include "disk.h"

#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#include "files.h"

#define SUBDIR ".xenfork"

/* A reflink takes some 20 us for each: with so many, 40 ms of the stun. */
#define MANY_EXTENTS 2000U

static int refuse(xenfork_ctx *ctx, const struct xenfork__disk *disk,
                  const char *why)
{
    xenfork__miss(ctx, XENFORK_E_DISK, "disk %s (%s) cannot be forked: %s",
                  disk->vdev, disk->path ? disk->path : "empty", why);
    return xenfork__remedy(ctx, "keep the disk as a raw file on XFS or btrfs "
                                "(no script=, backend phy) or as a qcow2 file "
                                "(backend qdisk), attach it read-only, or "
                                "detach it");
}

static int reflink_probe(xenfork_ctx *ctx, const struct xenfork__disk *disk,
                         bool is_frozen)
{
    bool is_full = false;
    struct stat st;
    int rc;

    (void)is_frozen;
    if (!disk->path)
        return refuse(ctx, disk, "the drive is empty");
    if (disk->is_foreign)
        return refuse(ctx, disk, "its backend is in another domain");
    if (disk->is_cdrom)
        return refuse(ctx, disk, "it is a CD-ROM drive");
    if (strcmp(disk->format, "raw"))
        return refuse(ctx, disk, "its format is not raw");
    if (strcmp(disk->backend, "phy") || (disk->script && disk->script[0]))
        return refuse(ctx, disk, "it is not served by blkback from a file");
    if (disk->path[0] != '/' || stat(disk->path, &st))
        return refuse(ctx, disk, "the file cannot be found");
    if (!S_ISREG(st.st_mode))
        return refuse(ctx, disk, "it is no regular file");
    rc = xenfork__sys_can_reflink(ctx, disk->path, &is_full);
    if (rc != XENFORK_E_DISK)
        return rc;
    if (!is_full)
        return refuse(ctx, disk, "its file system has no reflinks");
    refuse(ctx, disk, "its file system is full");
    return xenfork__remedy(ctx, "make room there");
}

static int reflink_path(xenfork_ctx *ctx, const struct xenfork__disk *disk,
                        const uint8_t uuid[16], char **path_out)
{
    const char *slash = strrchr(disk->path, '/');
    size_t dir = (size_t)(slash - disk->path);
    size_t sub = strlen("/" SUBDIR);
    char text[XENFORK__UUID_CHARS];
    bool is_inside;

    /* A clone's file is there already: its clones' lie beside it. */
    is_inside = dir >= sub && !strncmp(slash - sub, "/" SUBDIR, sub);
    xenfork__uuid_print(uuid, text);
    if (asprintf(path_out, "%.*s%s/%s-%s.raw", (int)dir, disk->path,
                 is_inside ? "" : "/" SUBDIR, text, disk->vdev) < 0)
        return xenfork__nomem(ctx);
    return 0;
}

/* Forks and writes break a file up, and whoever forks it often should know. */
static int note_extents(xenfork_ctx *ctx, const char *path)
{
    uint64_t extents;
    int rc = xenfork__sys_extents(ctx, path, &extents);

    if (rc == 0 && extents > MANY_EXTENTS)
        LOG_WARN(ctx,
                 "%s is in %" PRIu64 " pieces, which makes the source stand "
                 "still for longer, ignoring: a copy of the file is in few",
                 path, extents);
    return rc;
}

/* What is dirty is written now, not by the FICLONE in the stun. */
static int reflink_prepare(xenfork_ctx *ctx, const struct xenfork__cut *cut)
{
    cleanup_close int fd = open(cut->from, O_RDONLY | O_CLOEXEC);
    cleanup_free char *dir = strdup(cut->to);
    int rc;

    if (!dir)
        return xenfork__nomem(ctx);
    if (fd < 0 || fsync(fd))
        return xenfork__fail(ctx, XENFORK_E_DISK, errno, "cannot flush %s",
                             cut->from);
    rc = note_extents(ctx, cut->from);
    if (rc < 0)
        return rc;
    *strrchr(dir, '/') = '\0';
    return xenfork__make_dir(ctx, dir);
}

static int reflink_cut(xenfork_ctx *ctx, const struct xenfork__cut *cut)
{
    return xenfork__sys_reflink(ctx, cut->from, cut->to, true);
}

static int reflink_clone(xenfork_ctx *ctx, const char *from, const char *to)
{
    return xenfork__sys_reflink(ctx, from, to, false);
}

const struct xenfork__disk_driver xenfork__disk_reflink = {
    .name = "reflink",
    .why = "a raw file on XFS or btrfs",
    .format = "raw",
    .probe = reflink_probe,
    .path = reflink_path,
    .prepare = reflink_prepare,
    .cut = reflink_cut,
    .clone = reflink_clone,
    .remove = xenfork__file_remove,
    .usage = xenfork__sys_file_usage,
};

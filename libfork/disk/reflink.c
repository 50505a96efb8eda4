/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Raw files on XFS or btrfs.  A snapshot is one FICLONE of the source's file;
 * the source goes on writing to its own file, so nothing is switched and no
 * chain grows.  Files are in ".xenfork" in the folder of the source's file: a
 * reflink cannot leave its file system.
 */
#include "disk/disk.h"

#include <inttypes.h>
#include <string.h>

#include "host/host.h"
#include "state/files.h"

/* A reflink takes some 20 us for each: with so many, 40 ms. */
#define MANY_EXTENTS 2000U

/* Refuse for the reason that has just been given, with its remedy. */
static int refuse_as_said(xenfork_ctx *ctx, const struct xenfork__disk *disk)
{
    __auto_type said = ctx->error;

    xenfork__raw_refuse(ctx, disk, said.text);
    return said.remedy[0] ? xenfork__remedy(ctx, "%s", said.remedy)
                          : XENFORK_E_DISK;
}

static int reflink_probe(xenfork_ctx *ctx, const struct xenfork__disk *disk,
                         bool is_frozen)
{
    bool is_file, is_full = false;
    int rc = xenfork__raw_probe(ctx, disk, &is_file);

    (void)is_frozen;
    if (rc < 0)
        return rc;
    if (disk->script && disk->script[0])
        return xenfork__raw_refuse(ctx, disk, "it has a script");
    if (!is_file)
        return xenfork__raw_refuse(ctx, disk, "it is not a regular file");
    rc = xenfork__sys_can_reflink(ctx, disk->path, &is_full);
    if (rc != XENFORK_E_DISK)
        return rc;
    return is_full ? xenfork__raw_refuse_full(ctx, disk)
                   : refuse_as_said(ctx, disk);
}

/* Return a path in the folder of the file itself, whatever links lead to it. */
static int reflink_path(xenfork_ctx *ctx, const struct xenfork__disk *disk,
                        const uint8_t uuid[16], char **path_out)
{
    cleanup_free char *real = realpath(disk->path, NULL);

    if (!real)
        return xenfork__fail(ctx, XENFORK_E_DISK, errno, "no file %s",
                             disk->path);
    return xenfork__raw_path(ctx, real, disk->vdev, uuid, ".raw", path_out);
}

/*
 * Tell whether the file has many extents: forks and writes break a file up.
 * The driver thin does not mind, but takes a running source only where that is
 * behind block-fork's device.
 */
static int reflink_yields(xenfork_ctx *ctx, const struct xenfork__disk *disk,
                          bool is_frozen, bool *yields_out)
{
    uint64_t extents = 0;
    int rc = is_frozen ? xenfork__sys_extents(ctx, disk->path, &extents) : 0;

    *yields_out = rc == 0 && extents > MANY_EXTENTS;
    return rc;
}

static int note_extents(xenfork_ctx *ctx, const char *path)
{
    uint64_t extents;
    int rc = xenfork__sys_extents(ctx, path, &extents);

    if (rc == 0 && extents > MANY_EXTENTS)
        LOG_WARN(ctx,
                 "%s has %" PRIu64 " extents, which makes each fork slower, "
                 "ignoring: a copy of the file has few, and "
                 "script=block-fork in the source's disk line does without "
                 "reflinks",
                 path, extents);
    return rc;
}

static int make_folder(xenfork_ctx *ctx, const char *path)
{
    cleanup_free char *dir = strdup(path);

    if (!dir)
        return xenfork__nomem(ctx);
    *strrchr(dir, '/') = '\0';
    return xenfork__make_dir(ctx, dir);
}

/* Write dirty data now, not by the FICLONE in the stun. */
static int reflink_prepare(xenfork_ctx *ctx,
                           const struct xenfork__snapshot *snapshot)
{
    int rc;

    if ((rc = xenfork__sys_disk_flush(ctx, snapshot->from)) < 0 ||
        (rc = note_extents(ctx, snapshot->from)) < 0)
        return rc;
    return make_folder(ctx, snapshot->to);
}

/* Make the folder again: another process may have removed its last file. */
static int reflink_snapshot(xenfork_ctx *ctx,
                            const struct xenfork__snapshot *snapshot)
{
    int rc = make_folder(ctx, snapshot->to);

    return rc < 0
               ? rc
               : xenfork__sys_reflink(ctx, snapshot->from, snapshot->to, true);
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
    .yields = reflink_yields,
    .path = reflink_path,
    .prepare = reflink_prepare,
    .snapshot = reflink_snapshot,
    .clone = reflink_clone,
    .remove = xenfork__raw_remove,
    .usage = xenfork__sys_file_usage,
};

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * VHDs, each served by a tapdisk: "vhd:/srv/web.vhd", by the script block-fork
 * and the kernel's nbd; or by backendtype=tap and tapback, where libxl and
 * tapback can do that, which a running source proves.  Its clones then have our
 * script in place of libxl's, which leaves minor and sockets of a tapdisk that
 * was killed.
 *
 * At a snapshot the source's file becomes a base under another name, and an
 * empty VHD that is backed by it takes the old name: the path that libxl knows
 * leads to the newest one, at every instant, and a host that stops has lost
 * nothing.
 *
 * All files of a source are in one folder: the parent that a VHD names is
 * relative to its folder.
 */
#include "disk/disk.h"

#include <string.h>
#include <sys/stat.h>

#include "base/ids.h"
#include "disk/vhd/vhd.h"
#include "host/host.h"
#include "state/files.h"

#define SCRIPT     "block-fork"
#define TAP_SCRIPT "block-tap" /* libxl's own */

/* TAPDISK_MESSAGE_MAX_PATH_LENGTH of blktap, with our prefix and a NUL. */
#define MAX_PATH_CHARS (255U - 4U)

#define REMEDY                                                            \
    "the driver vhd is for disks with script=block-fork,target=vhd:FILE " \
    "(format raw, backend phy) or backendtype=tap,format=vhd,target=FILE"

static bool vhd_owns(xenfork_ctx *ctx, const struct xenfork__disk *disk)
{
    (void)ctx;
    return disk->path &&
           (!strncmp(disk->path, XENFORK__VHD_PREFIX,
                     strlen(XENFORK__VHD_PREFIX)) ||
            !strcmp(disk->format, "vhd") || !strcmp(disk->backend, "tap"));
}

static bool has_script(const struct xenfork__disk *disk, const char *script)
{
    const char *slash = disk->script ? strrchr(disk->script, '/') : NULL;

    return disk->script && !strcmp(slash ? slash + 1 : disk->script, script);
}

static int check_tap_form(xenfork_ctx *ctx, const struct xenfork__disk *disk)
{
    if (!strcmp(disk->format, "raw"))
        return xenfork__disk_refuse(
            ctx, disk,
            "with backendtype=tap,format=raw its tapdisk cannot open a VHD",
            "give the domain a VHD that is backed by the file: vhd-util "
            "snapshot -m -n NEW -p FILE; format=vhd, target=NEW");
    if (disk->script && !has_script(disk, SCRIPT) &&
        !has_script(disk, TAP_SCRIPT))
        return xenfork__disk_refuse(ctx, disk,
                                    "it is not served by " TAP_SCRIPT, REMEDY);
    return 0;
}

static int check_nbd_form(xenfork_ctx *ctx, const struct xenfork__disk *disk)
{
    if (!strcmp(disk->format, "vhd"))
        return xenfork__disk_refuse(
            ctx, disk, "QEMU cannot open a VHD that is backed by another",
            REMEDY);
    if (strcmp(disk->format, "raw") || strcmp(disk->backend, "phy") ||
        !has_script(disk, SCRIPT))
        return xenfork__disk_refuse(ctx, disk, "it is not served by " SCRIPT,
                                    REMEDY);
    return 0;
}

/* Check the form of the disk in its configuration. */
static int check_form(xenfork_ctx *ctx, const struct xenfork__disk *disk)
{
    int rc;

    if (!vhd_owns(ctx, disk))
        return xenfork__disk_refuse(
            ctx, disk, "it is not a VHD served by tapdisk", REMEDY);
    rc = strcmp(disk->backend, "tap") ? check_nbd_form(ctx, disk)
                                      : check_tap_form(ctx, disk);
    if (rc < 0)
        return rc;
    if (disk->is_foreign || disk->is_cdrom)
        return xenfork__disk_refuse(
            ctx, disk, "it is a CD-ROM, or another domain's", REMEDY);
    if (xenfork__vhd_file(disk->path)[0] != '/' || strpbrk(disk->path, "\n\r"))
        return xenfork__disk_refuse(
            ctx, disk, "its path is not absolute and plain", REMEDY);
    return 0;
}

static int check_depth(xenfork_ctx *ctx, const struct xenfork__disk *disk,
                       uint32_t depth)
{
    uint32_t limit;
    int rc = xenfork__vhd_max_depth(ctx, disk->options, &limit);

    if (rc < 0 || depth < limit)
        return rc;
    xenfork__miss_disk(ctx, disk->vdev, disk->path,
                       "its chain has %u VHDs, and the limit is %u", depth,
                       limit);
    return xenfork__remedy(
        ctx,
        "destroy clones of earlier forks, which makes the chain shorter; or "
        "fork the source frozen, which adds none; or --disk %s=vhd:max-depth=N",
        disk->vdev);
}

static int check_vhd_file(xenfork_ctx *ctx, const struct xenfork__disk *disk)
{
    const char *file = xenfork__vhd_file(disk->path);
    cleanup_free char *path = NULL;
    struct xenfork__vhd vhd = {0};
    uint8_t uuid[16] = {0};
    int rc = xenfork__sys_vhd_query(ctx, file, &vhd);

    free(vhd.parent);
    if (rc == XENFORK_E_NOTFOUND)
        return xenfork__disk_refuse(ctx, disk, "the file cannot be found",
                                    REMEDY);
    if (rc < 0 || (rc = check_depth(ctx, disk, vhd.depth)) < 0 ||
        (rc = xenfork__vhd_path(ctx, disk, uuid, &path)) < 0)
        return rc;
    if (strlen(path) + strlen(XENFORK__VHD_NEW) > MAX_PATH_CHARS)
        return xenfork__disk_refuse(ctx, disk,
                                    "its path is too long for tapdisk",
                                    "keep it in a folder with a shorter path");
    rc = xenfork__vhd_is_served(ctx, file);
    if (rc < 0)
        return rc == XENFORK_E_NOTFOUND
                   ? xenfork__disk_refuse(
                         ctx, disk, "no tapdisk serves it any more",
                         "destroy the domain, and create it again")
                   : rc;
    return xenfork__vhd_check_served(ctx, file);
}

static int vhd_probe(xenfork_ctx *ctx, const struct xenfork__disk *disk,
                     bool is_frozen)
{
    int rc = check_form(ctx, disk);

    (void)is_frozen;
    return rc < 0 ? rc : check_vhd_file(ctx, disk);
}

/* Make an overlay; here, out of the stun, the base becomes durable, too. */
static int vhd_clone(xenfork_ctx *ctx, const char *from, const char *to)
{
    const char *parent = xenfork__vhd_file(from);
    int rc = xenfork__sys_vhd_sync(ctx, parent);

    return rc < 0
               ? rc
               : xenfork__sys_vhd_snapshot(ctx, parent, xenfork__vhd_file(to));
}

static int remove_files(xenfork_ctx *ctx, const char *file)
{
    cleanup_free char *next = NULL;
    int rc, r;

    if (asprintf(&next, "%s" XENFORK__VHD_NEW, file) < 0) {
        next = NULL;
        return xenfork__nomem(ctx);
    }
    if ((rc = xenfork__vhd_forget_coalesced(ctx, file)) < 0)
        return rc;
    rc = xenfork__file_remove(ctx, next);
    r = xenfork__file_remove(ctx, file);
    return rc < 0 ? rc : r;
}

/*
 * Remove first the file: then a script that a killed fork has left running can
 * put no tapdisk behind it any more, and one that it has put there is found.
 */
static int vhd_remove(xenfork_ctx *ctx, const char *path)
{
    const char *file = xenfork__vhd_file(path);
    int rc = xenfork__vhd_forget_copy(ctx, file);
    int r = rc < 0 ? rc : remove_files(ctx, file);

    rc = xenfork__sys_tap_detach(ctx, file, NULL);
    return r < 0 ? r : rc;
}

/*
 * Return the parent; files below a source's first VHD are not ours, and do not
 * count.
 */
static int vhd_parent(xenfork_ctx *ctx, const char *path, char **parent_out)
{
    struct xenfork__vhd vhd = {0};
    cleanup_free char *file = NULL;
    int rc = xenfork__sys_vhd_query(ctx, xenfork__vhd_file(path), &vhd);

    if (rc < 0)
        return rc;
    file = vhd.parent;
    if (!file || !xenfork__vhd_is_ours(file)) {
        *parent_out = NULL;
        return 0;
    }
    if (asprintf(parent_out, XENFORK__VHD_PREFIX "%s", file) < 0)
        return xenfork__nomem(ctx);
    return 0;
}

static int vhd_usage(xenfork_ctx *ctx, const char *path,
                     uint64_t *allocated_kib_out, uint64_t *own_kib_out)
{
    cleanup_free char *below = strdup(path);
    uint64_t own = 0, all, one;
    int rc;

    if (!below)
        return xenfork__nomem(ctx);
    rc = xenfork__sys_vhd_usage(ctx, xenfork__vhd_file(path), &own);
    for (all = own; rc == 0;) {
        char *next = NULL;

        if ((rc = vhd_parent(ctx, below, &next)) < 0 || !next)
            break;
        free(below);
        below = next;
        rc = xenfork__sys_vhd_usage(ctx, xenfork__vhd_file(below), &one);
        all += rc < 0 ? 0 : one;
    }
    if (rc < 0)
        return rc;
    *allocated_kib_out = all;
    *own_kib_out = own;
    return 0;
}

const struct xenfork__disk_driver xenfork__disk_vhd = {
    .name = "vhd",
    .why = "a VHD, served by tapdisk",
    .script = SCRIPT,
    .takes_options = true,
    .owns = vhd_owns,
    .probe = vhd_probe,
    .path = xenfork__vhd_path,
    .prepare = xenfork__vhd_prepare,
    .snapshot = xenfork__vhd_snapshot,
    .abort = xenfork__vhd_abort,
    .clone = vhd_clone,
    .remove = vhd_remove,
    .release = xenfork__vhd_release,
    .parent = vhd_parent,
    .collapse = xenfork__vhd_collapse,
    .coalesce = xenfork__vhd_coalesce,
    .detach = xenfork__vhd_detach,
    .detach_recover = xenfork__vhd_detach_recover,
    .usage = vhd_usage,
};

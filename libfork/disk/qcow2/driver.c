/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * qcow2 files that QEMU serves (qdisk).  A snapshot makes QEMU write to a new,
 * empty file that is backed by the source's.  The old file is the base, under a
 * second name; the source's path leads to the new one, as libxl's record, a
 * reboot and a restore expect.
 *
 * All files are in the folder of the source's, because QEMU looks for a backing
 * file in the folder of the name by which it opened the overlay.  A symbolic
 * link stays; the snapshot is made of the file that it leads to, which has to
 * be in the link's folder.
 *
 * The order of a snapshot: QEMU switches to the new file, then the path leads
 * to it, durably, before the guest runs on.  Not the other way round: QEMU
 * opens the old file once more, by that path (see host/qemu.c).
 */
#include "disk/qcow2/driver.h"

#include <ctype.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/ids.h"
#include "disk/qcow2/header.h"
#include "host/host.h"
#include "state/files.h"

#define MAX_VDEV 12U

static bool stat_folder(const char *path, struct stat *st_out)
{
    cleanup_free char *dir = strndup(path,
                                     (size_t)(strrchr(path, '/') - path) + 1);

    return dir && stat(dir, st_out) == 0;
}

static int check_link(xenfork_ctx *ctx, const struct xenfork__disk *disk)
{
    cleanup_free char *real = realpath(disk->path, NULL);
    struct stat named, led_to;

    if (!real || !stat_folder(disk->path, &named) ||
        !stat_folder(real, &led_to))
        return xenfork__disk_refuse(ctx, disk, "the file cannot be found",
                                    "find it, and move it back");
    if (xenfork__is_same_inode(&named, &led_to))
        return 0;
    xenfork__disk_refuse(
        ctx, disk,
        "it is a link into another folder, and QEMU looks for the backing file "
        "in the folder of the link",
        "");
    return xenfork__remedy(ctx, "start the domain with target=%s", real);
}

static int probe_file(xenfork_ctx *ctx, const struct xenfork__disk *disk)
{
    cleanup_qcow2 struct xenfork__qcow2 qcow2 = {0};
    int rc;

    if (disk->path[0] != '/')
        return xenfork__disk_refuse(ctx, disk, "its path is not absolute",
                                    "give the absolute path of the file");
    if (strlen(disk->vdev) > MAX_VDEV)
        return xenfork__disk_refuse(
            ctx, disk, "its name is too long",
            "give the disk a short name, such as vdev=xvda");
    rc = check_link(ctx, disk);
    if (rc < 0)
        return rc;
    rc = xenfork__qcow2_read(ctx, disk->path, &qcow2);
    if (rc == XENFORK_E_NOTFOUND)
        return xenfork__disk_refuse(ctx, disk, "the file cannot be found",
                                    "find it, and move it back");
    if (rc == XENFORK_E_DISK || rc == XENFORK_E_STATE)
        return xenfork__disk_refuse(ctx, disk,
                                    "the file is not in the qcow2 format",
                                    "qemu-img info says what it is");
    if (rc < 0)
        return rc;
    if (qcow2.trouble)
        return xenfork__disk_refuse(
            ctx, disk, qcow2.trouble,
            "qemu-img convert makes a plain qcow2 file of it");
    return 0;
}

static int qcow2_probe(xenfork_ctx *ctx, const struct xenfork__disk *disk,
                       bool is_frozen)
{
    static const char other[] =
        "the driver qcow2 is for files with format=qcow2, by qdisk";
    int rc;

    (void)is_frozen;
    if (!disk->path)
        return xenfork__disk_refuse(ctx, disk, "the drive is empty", other);
    if (disk->is_foreign)
        return xenfork__disk_refuse(ctx, disk,
                                    "its backend is in another domain", other);
    if (disk->is_cdrom)
        return xenfork__disk_refuse(ctx, disk, "it is a CD-ROM drive", other);
    if (!strcmp(disk->format, "vhd"))
        return xenfork__disk_refuse(
            ctx, disk,
            "QEMU opens a differencing VHD without its parent, and so shows "
            "wrong data",
            "qemu-img convert -O qcow2 makes a qcow2 file of it");
    if (strcmp(disk->format, "qcow2"))
        return xenfork__disk_refuse(ctx, disk, "its format is not qcow2",
                                    other);
    if (strcmp(disk->backend, "qdisk"))
        return xenfork__disk_refuse(ctx, disk, "it is not served by QEMU",
                                    other);
    rc = probe_file(ctx, disk);
    if (rc < 0)
        return rc;
    if (!xenfork__sys_has_qemu_img())
        return xenfork__disk_refuse(
            ctx, disk, "qemu-img, which undoes a fork, is not installed",
            "install it (Debian package: qemu-utils)");
    if (!xenfork__sys_qemu_is_there(disk->domid))
        return xenfork__disk_refuse(
            ctx, disk, "its QEMU cannot be reached",
            "start the domain again: its socket "
            "/var/run/xen/qmp-libxenstat-DOMID is missing");
    return xenfork__qcow2_check_unplugged(ctx, disk->domid, disk->vdev,
                                          disk->path);
}

static int qcow2_path(xenfork_ctx *ctx, const struct xenfork__disk *disk,
                      const uint8_t uuid[16], char **path_out)
{
    size_t dir = (size_t)(strrchr(disk->path, '/') - disk->path);
    char text[XENFORK__UUID_CHARS];

    xenfork__uuid_print(uuid, text);
    if (asprintf(path_out, "%.*s/" XENFORK__QCOW2_PREFIX "%s-%s.qcow2",
                 (int)dir, disk->path, text, disk->vdev) < 0)
        return xenfork__nomem(ctx);
    return 0;
}

/*
 * Make the new file, and the second name of the old one: nobody uses them yet.
 */
static int make_snapshot_files(xenfork_ctx *ctx,
                               const struct xenfork__snapshot *snapshot,
                               const char *new)
{
    int rc = xenfork__qcow2_create(ctx, snapshot->from,
                                   xenfork__qcow2_base(snapshot->to), new);

    if (rc < 0)
        return rc;
    if (linkat(AT_FDCWD, snapshot->from, AT_FDCWD, snapshot->to, 0))
        return xenfork__fail(ctx, XENFORK_E_DISK, errno,
                             "cannot give %s a second name", snapshot->from);
    return xenfork__names_sync(ctx, snapshot->to);
}

/* Report that QEMU is gone: for a fork this is an error like another. */
static int need_qemu(xenfork_ctx *ctx, const struct xenfork__snapshot *snapshot,
                     int rc)
{
    return rc == XENFORK_E_NOTFOUND
               ? xenfork__fail(ctx, XENFORK_E_DISK, 0,
                               "disk %s: QEMU of domain %u is gone",
                               snapshot->vdev, snapshot->domid)
               : rc;
}

/* Prepare a snapshot; a job that still shortens the chain ends here. */
static int begin_snapshot(xenfork_ctx *ctx,
                          const struct xenfork__snapshot *snapshot)
{
    cleanup_qemu_top struct xenfork__qemu_top top = {.node = ""};
    cleanup_free char *new = NULL;
    char node[XENFORK__QEMU_NAME];
    int rc;

    if ((rc = xenfork__qcow2_new(ctx, snapshot->to, &new)) < 0 ||
        (rc = xenfork__qcow2_id(ctx, XENFORK__QCOW2_OVERLAY, snapshot->to,
                                snapshot->vdev, node)) < 0 ||
        (rc = xenfork__sys_qemu_cancel(ctx, snapshot->domid, snapshot->vdev)) <
            0 ||
        (rc = xenfork__sys_qemu_top(ctx, snapshot->domid, snapshot->vdev,
                                    &top)) < 0 ||
        (rc = make_snapshot_files(ctx, snapshot, new)) < 0 ||
        (rc = xenfork__sys_qemu_add(ctx, snapshot->domid, &top, node, new)) < 0)
        return need_qemu(ctx, snapshot, rc);
    /* Dirty data is written now, not in the stun. */
    return xenfork__sys_disk_flush(ctx, snapshot->from);
}

static int qcow2_prepare(xenfork_ctx *ctx,
                         const struct xenfork__snapshot *snapshot)
{
    cleanup_free char *real = NULL;
    struct xenfork__snapshot followed = *snapshot;
    int rc = xenfork__qcow2_follow(ctx, &followed, &real);

    return rc < 0 ? rc : begin_snapshot(ctx, &followed);
}

/*
 * Change the mode by the open file, not by a path: others who can write in the
 * folder could put a link there.
 */
static int make_readonly(const char *path)
{
    cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);

    return fd < 0 ? -1 : fchmod(fd, 0400);
}

/*
 * Check that the file that is about to be replaced is the one that has the
 * second name.
 */
static int check_second_name(xenfork_ctx *ctx,
                             const struct xenfork__snapshot *snapshot)
{
    struct stat from, to;

    if (!lstat(snapshot->from, &from) && !lstat(snapshot->to, &to) &&
        xenfork__is_same_inode(&from, &to))
        return 0;
    xenfork__fail(ctx, XENFORK_E_DISK, 0,
                  "disk %s: another file has been put at %s meanwhile",
                  snapshot->vdev, snapshot->from);
    return xenfork__remedy(ctx, "put back the file that domain %u has open",
                           snapshot->domid);
}

static int replace_source(xenfork_ctx *ctx,
                          const struct xenfork__snapshot *snapshot)
{
    cleanup_qemu_top struct xenfork__qemu_top top = {.node = ""};
    cleanup_free char *new = NULL;
    char node[XENFORK__QEMU_NAME];
    int rc;

    if ((rc = check_second_name(ctx, snapshot)) < 0 ||
        (rc = xenfork__qcow2_check_unplugged(
             ctx, snapshot->domid, snapshot->vdev, snapshot->from)) < 0 ||
        (rc = xenfork__qcow2_new(ctx, snapshot->to, &new)) < 0 ||
        (rc = xenfork__qcow2_id(ctx, XENFORK__QCOW2_OVERLAY, snapshot->to,
                                snapshot->vdev, node)) < 0 ||
        (rc = xenfork__sys_qemu_top(ctx, snapshot->domid, snapshot->vdev,
                                    &top)) < 0 ||
        (rc = xenfork__sys_qemu_snapshot(ctx, snapshot->domid, top.node,
                                         node)) < 0)
        return need_qemu(ctx, snapshot, rc);
    if (rename(new, snapshot->from) || make_readonly(snapshot->to))
        return xenfork__fail(ctx, XENFORK_E_DISK, errno, "cannot replace %s",
                             snapshot->from);
    return xenfork__names_sync(ctx, snapshot->from);
}

static int qcow2_snapshot(xenfork_ctx *ctx,
                          const struct xenfork__snapshot *snapshot)
{
    cleanup_free char *real = NULL;
    struct xenfork__snapshot followed = *snapshot;
    int rc = xenfork__qcow2_follow(ctx, &followed, &real);

    return rc < 0 ? rc : replace_source(ctx, &followed);
}

/* Make an overlay; here, out of the stun, the base becomes durable, too. */
static int qcow2_clone(xenfork_ctx *ctx, const char *from, const char *to)
{
    int rc = xenfork__sys_disk_flush(ctx, from);

    if (rc == 0)
        rc = xenfork__qcow2_create(ctx, from, xenfork__qcow2_base(from), to);
    return rc < 0 ? rc : xenfork__names_sync(ctx, to);
}

/*
 * Own qcow2 files, for which there is no other driver, and VHDs of QEMU, whose
 * refusal it can explain best.
 */
static bool owns_disk(xenfork_ctx *ctx, const struct xenfork__disk *disk)
{
    (void)ctx;
    return !strcmp(disk->format, "qcow2") ||
           (!strcmp(disk->format, "vhd") && !strcmp(disk->backend, "qdisk"));
}

const struct xenfork__disk_driver xenfork__disk_qcow2 = {
    .name = "qcow2",
    .why = "a qcow2 file",
    .owns = owns_disk,
    .format = "qcow2",
    .probe = qcow2_probe,
    .path = qcow2_path,
    .prepare = qcow2_prepare,
    .snapshot = qcow2_snapshot,
    .abort = xenfork__qcow2_abort,
    .clone = qcow2_clone,
    .remove = xenfork__file_remove,
    .parent = xenfork__qcow2_parent,
    .collapse = xenfork__qcow2_collapse,
    .detach = xenfork__qcow2_detach,
    .detach_recover = xenfork__qcow2_detach_recover,
    .hang_up = xenfork__sys_qemu_close,
    .usage = xenfork__sys_file_usage,
};

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Find the file or device that serves a domain's disk.  It has been open since
 * the domain was created.  Its path may lead elsewhere by now, because a
 * symbolic link was changed or another file was moved there; a program that
 * opens the path then gets other data.
 *
 * blkback is told the device's number by the block script, in hexadecimal
 * (block-common.sh); for a file that is a loop device, which knows its file.
 * QEMU's pid is in xenstore, where no guest can write it.
 */
#include "xen/handles.h"

#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "host/dm.h"
#include "host/host.h"
#include "xen/xen.h"

#define TRIES 10U /* a file that is written grows meanwhile */

struct disk {
    uint32_t domid;
    const char *vdev, *path;
    xenfork__device_number_fn *thin_number;
    struct xenfork__disk_identity there; /* what the path leads to */
};

static int refuse_backend(xenfork_ctx *ctx, const struct disk *disk,
                          const char *why)
{
    return xenfork__miss_disk(ctx, disk->vdev, disk->path, "%s", why);
}

static int refuse_other(xenfork_ctx *ctx, const struct disk *disk,
                        const char *in_use)
{
    refuse_backend(ctx, disk,
                   "the path leads to another disk than the domain has open");
    if (in_use[0])
        return xenfork__remedy(ctx,
                               "let the path lead to %s again, as when the "
                               "domain was created; or shut it down, and "
                               "create it with the other one",
                               in_use);
    return xenfork__remedy(
        ctx,
        "let the path lead to the same disk as when the domain was created; or "
        "shut it down, and create it with the other one");
}

static int refuse_unknown(xenfork_ctx *ctx, const struct disk *disk)
{
    refuse_backend(ctx, disk,
                   "cannot find out which file or device it is served from");
    return xenfork__remedy(ctx, "xl block-list shows whether it is connected");
}

char *xenfork__xen_disk_backend(xenfork_ctx *ctx, uint32_t domid,
                                const char *vdev)
{
    unsigned int i, count = 0;
    cleanup_free char **devids = xenfork__xs_list(
        ctx, &count, "/libxl/%u/device/vbd", domid);

    for (i = 0; devids && i < count; i++) {
        cleanup_free char *dev = xenfork__xs_read(
            ctx, XBT_NULL, "/libxl/%u/device/vbd/%s/dev", domid, devids[i]);

        if (dev && !strcmp(dev, vdev))
            return xenfork__xs_read(ctx, XBT_NULL,
                                    "/libxl/%u/device/vbd/%s/backend", domid,
                                    devids[i]);
    }
    return NULL;
}

/* Tell whether it is served by this script, or libxl's own. */
static bool is_served_by(xenfork_ctx *ctx, const char *backend,
                         const char *name)
{
    cleanup_free char *script = xenfork__xs_read(ctx, XBT_NULL, "%s/script",
                                                 backend);
    const char *slash = script ? strrchr(script, '/') : NULL;

    return !script || !strcmp(slash ? slash + 1 : script, name);
}

static int check_backend_device(xenfork_ctx *ctx, const struct disk *disk,
                                const char *backend)
{
    cleanup_free char *number = xenfork__xs_read(ctx, XBT_NULL,
                                                 "%s/physical-device", backend);
    struct xenfork__loop loop = {.name = ""};
    struct xenfork__disk_identity served = {.is_device = true};
    unsigned int major, minor;

    if (!number || sscanf(number, "%x:%x", &major, &minor) != 2)
        return refuse_unknown(ctx, disk);
    served.device = makedev(major, minor);
    if (!disk->there.is_device) {
        if (!xenfork__sys_loop_file(served.device, &loop) || loop.offset ||
            loop.bytes)
            return refuse_other(ctx, disk, "");
        served = loop.file;
    }
    return xenfork__disk_is_same(&served, &disk->there)
               ? 0
               : refuse_other(ctx, disk, loop.name);
}

/*
 * Check a disk of block-fork, which serves a device that belongs to the file,
 * or volume, alone.
 */
static int check_behind(xenfork_ctx *ctx, const struct disk *disk,
                        const char *backend)
{
    cleanup_free char *number = xenfork__xs_read(ctx, XBT_NULL,
                                                 "%s/physical-device", backend);
    unsigned int major, minor;
    uint64_t device;
    int rc;

    if (!number || sscanf(number, "%x:%x", &major, &minor) != 2)
        return refuse_unknown(ctx, disk);
    rc = disk->thin_number(ctx, disk->path, &device);
    if (rc < 0)
        return rc;
    return device == makedev(major, minor) ? 0 : refuse_other(ctx, disk, "");
}

/*
 * Check a VHD of block-fork: the tapdisk that has the path's file is this
 * disk's own.
 */
static int check_tapdisk(xenfork_ctx *ctx, const struct disk *disk,
                         const char *device)
{
    cleanup_free char *user = NULL;
    int rc = xenfork__sys_tap_user(
        ctx, disk->path + strlen(XENFORK__VHD_PREFIX), &user);

    if (rc < 0 && rc != XENFORK_E_NOTFOUND)
        return rc;
    return rc == 0 && !strcmp(user, device) ? 0 : refuse_other(ctx, disk, "");
}

static bool is_vhd(const char *path)
{
    return !strncmp(path, XENFORK__VHD_PREFIX, strlen(XENFORK__VHD_PREFIX));
}

/*
 * Check a disk by block-fork, or by another script, of which we know nothing.
 */
static int check_script(xenfork_ctx *ctx, const struct disk *disk,
                        const char *backend, const char *own)
{
    if (!is_served_by(ctx, backend, "block-fork"))
        return 0;
    if (is_vhd(disk->path))
        return check_tapdisk(ctx, disk,
                             backend + strlen(own) - strlen("backend/"));
    return !strncmp(backend + strlen(own), "vbd/", 4) && disk->path[0] == '/'
               ? check_behind(ctx, disk, backend)
               : 0;
}

static bool is_written(xenfork_ctx *ctx, const char *backend)
{
    cleanup_free char *mode = xenfork__xs_read(ctx, XBT_NULL, "%s/mode",
                                               backend);

    return mode && mode[0] == 'w';
}

/* Tell whether the domain's QEMU writes to another disk, too. */
static bool has_other_writable(xenfork_ctx *ctx, const char *backend)
{
    int length = (int)(strrchr(backend, '/') - backend);
    unsigned int i, count = 0;
    cleanup_free char **devids = xenfork__xs_list(ctx, &count, "%.*s", length,
                                                  backend);
    bool has = false;

    for (i = 0; devids && i < count && !has; i++) {
        cleanup_free char *other = NULL;

        if (asprintf(&other, "%.*s/%s", length, backend, devids[i]) < 0) {
            other = NULL;
            return true;
        }
        has = strcmp(other, backend) && is_written(ctx, other);
    }
    return has;
}

/* Return the space that a file takes; 0: it is gone. */
static uint64_t allocated(const char *path)
{
    struct stat st;

    return stat(path, &st) ? 0 : (uint64_t)st.st_blocks * 512;
}

/*
 * Check that a disk's node has the file of the path open, and that it is not
 * another disk's: by the space that it takes, for QEMU does not tell its
 * descriptors.  The guest may be writing to it.  Where two take the same, a
 * link that is newer than QEMU is not trusted.
 */
static int check_node(xenfork_ctx *ctx, const struct disk *disk, uint32_t pid)
{
    uint32_t i;

    for (i = 0; i < TRIES; i++) {
        uint64_t bytes, before = allocated(disk->path), after;
        int rc = xenfork__sys_qemu_allocated(ctx, disk->domid, disk->vdev,
                                             &bytes);

        if (rc < 0)
            return rc == XENFORK_E_NOTFOUND ? 0 : rc;
        after = allocated(disk->path);
        if ((before <= bytes && bytes <= after) ||
            (after <= bytes && bytes <= before))
            return xenfork__sys_has_twin(pid, &disk->there, bytes) &&
                           xenfork__sys_has_newer_link(pid, disk->path)
                       ? refuse_other(ctx, disk, "")
                       : 0;
    }
    return refuse_other(ctx, disk, "");
}

/* Tell whether its QEMU may have the file open that another disk is for. */
static bool may_be_another(xenfork_ctx *ctx, const struct disk *disk,
                           const char *backend)
{
    return has_other_writable(ctx, backend) ||
           xenfork__xen_has_emulator(ctx, disk->domid);
}

/*
 * A disk that is written has its file open for writing; a file that is read
 * only may back any of the domain's disks.
 */
static int check_qemu(xenfork_ctx *ctx, const struct disk *disk,
                      const char *backend)
{
    bool is_writer = is_written(ctx, backend);
    uint32_t pid;

    if (xenfork__xs_u32(ctx, &pid, "/local/domain/%u/image/device-model-pid",
                        disk->domid) != 1)
        return refuse_unknown(ctx, disk);
    if (!xenfork__sys_has_open(pid, &disk->there, is_writer))
        return refuse_other(ctx, disk, "");
    return is_writer && !disk->there.is_device &&
                   may_be_another(ctx, disk, backend)
               ? check_node(ctx, disk, pid)
               : 0;
}

int xenfork__xen_disk_served(xenfork_ctx *ctx, uint32_t domid, const char *vdev,
                             const char *path,
                             xenfork__device_number_fn *thin_number)
{
    struct disk disk = {.domid = domid,
                        .vdev = vdev,
                        .path = path,
                        .thin_number = thin_number};
    cleanup_free char *backend = xenfork__xen_disk_backend(ctx, domid, vdev);
    char own[48];
    int rc;

    if (!backend)
        return refuse_unknown(ctx, &disk);
    snprintf(own, sizeof(own), "/local/domain/%" PRIu32 "/backend/",
             xenfork__own_domid(ctx));
    if (strncmp(backend, own, strlen(own)) != 0)
        return 0;
    if (!is_served_by(ctx, backend, "block"))
        return check_script(ctx, &disk, backend, own);
    rc = xenfork__sys_disk_identity(ctx, path, &disk.there);
    if (rc < 0)
        return refuse_other(ctx, &disk, "");
    if (!strncmp(backend + strlen(own), "vbd/", 4))
        return check_backend_device(ctx, &disk, backend);
    return strncmp(backend + strlen(own), "qdisk/", 6)
               ? 0
               : check_qemu(ctx, &disk, backend);
}

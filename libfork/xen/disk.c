/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Disks of a live domain, in libxl's record of it. */
#include "xen/handles.h"

#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "host/dm.h"
#include "xen/xen.h"

struct move {
    const char *vdev, *path;
    libxl_disk_format format;
};

static bool move_disk(libxl_domain_config *config, const void *opaque)
{
    const struct move *move = opaque;
    int i;

    for (i = 0; i < config->num_disks; i++) {
        libxl_device_disk *disk = &config->disks[i];
        char *path;

        if (!disk->vdev || strcmp(disk->vdev, move->vdev))
            continue;
        path = strdup(move->path);
        if (!path)
            return false;
        free(disk->pdev_path);
        free(disk->script);
        disk->pdev_path = path;
        disk->script = NULL;
        disk->backend = LIBXL_DISK_BACKEND_UNKNOWN; /* libxl chooses */
        disk->format = move->format;
    }
    return true;
}

/*
 * Rename the disk in QEMU's part of xenstore, which libxl lists, and where
 * xenfork looks for disks that are shared.  QEMU reads it only once.
 */
static int rename_served(xenfork_ctx *ctx, uint32_t domid, const char *devid,
                         const struct move *move)
{
    cleanup_free char *vdev = xenfork__xs_read(
        ctx, XBT_NULL, "/libxl/%u/device/vbd/%s/dev", domid, devid);
    cleanup_free char *backend = xenfork__xs_read(
        ctx, XBT_NULL, "/libxl/%u/device/vbd/%s/backend", domid, devid);
    cleanup_free char *params = NULL;

    if (!vdev || !backend || strcmp(vdev, move->vdev) != 0 ||
        !strstr(backend, "/qdisk/"))
        return 0;
    /* libxl__device_disk_string_of_format(), 4.17 */
    if (asprintf(&params, "%s:%s",
                 move->format == LIBXL_DISK_FORMAT_RAW ? "aio" : "qcow2",
                 move->path) < 0) {
        params = NULL;
        return xenfork__nomem(ctx);
    }
    if (xenfork__xs_write(ctx, XBT_NULL, params, "%s/params", backend) &&
        xenfork__xs_write(ctx, XBT_NULL, params,
                          "/libxl/%u/device/vbd/%s/params", domid, devid))
        return 0;
    return xenfork__fail(ctx, XENFORK_E_XEN, errno,
                         "cannot say in xenstore where disk %s of domain %u is",
                         move->vdev, domid);
}

static int rename_in_store(xenfork_ctx *ctx, uint32_t domid,
                           const struct move *move)
{
    unsigned int i, count = 0;
    cleanup_free char **devids = xenfork__xs_list(
        ctx, &count, "/libxl/%u/device/vbd", domid);
    int rc = 0;

    for (i = 0; devids && i < count && rc == 0; i++)
        rc = rename_served(ctx, domid, devids[i], move);
    return rc;
}

static bool is_device(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && S_ISBLK(st.st_mode);
}

/*
 * Return the file of a loop device; a path that is not absolute was relative to
 * the folder in which the domain was created.
 */
static char *file_of_loop(xenfork_ctx *ctx, const char *backend)
{
    cleanup_free char *number = xenfork__xs_read(ctx, XBT_NULL,
                                                 "%s/physical-device", backend);
    unsigned int major, minor;

    return number && sscanf(number, "%x:%x", &major, &minor) == 2
               ? xenfork__sys_loop_path(makedev(major, minor))
               : NULL;
}

void xenfork__xl_disk_name(xenfork_ctx *ctx, libxl_device_disk *disk,
                           const char *backend)
{
    const char *slash = disk->script ? strrchr(disk->script, '/') : NULL;
    const char *script = slash ? slash + 1 : disk->script;
    char *path;

    if (disk->backend != LIBXL_DISK_BACKEND_PHY || !disk->pdev_path ||
        !disk->pdev_path[0] || disk->pdev_path[0] == '/' ||
        (script && strcmp(script, "block") && strcmp(script, "block-fork")))
        return;
    if (asprintf(&path, "/dev/%s", disk->pdev_path) < 0)
        return;
    if (!is_device(path)) {
        free(path);
        path = file_of_loop(ctx, backend);
    }
    if (!path)
        return;
    free(disk->pdev_path);
    disk->pdev_path = path;
}

static int set_format(xenfork_ctx *ctx, struct move *move, const char *format)
{
    if (libxl_disk_format_from_string(format, &move->format))
        return xenfork__fail(ctx, XENFORK_E_XEN, 0,
                             "libxl does not know the format %s", format);
    return 0;
}

int xenfork__xl_disk_moved(xenfork_ctx *ctx, libxl_domain_config *config,
                           const char *vdev, const char *path,
                           const char *format)
{
    struct move move = {.vdev = vdev, .path = path};
    int rc = set_format(ctx, &move, format);

    if (rc < 0)
        return rc;
    return move_disk(config, &move) ? 0 : xenfork__nomem(ctx);
}

int xenfork__xen_disk_moved(xenfork_ctx *ctx, uint32_t domid, const char *vdev,
                            const char *path, const char *format)
{
    struct move move = {.vdev = vdev, .path = path};
    int rc = set_format(ctx, &move, format);

    if (rc < 0)
        return rc;
    rc = xenfork__stored_change(ctx, domid, move_disk, &move);
    return rc < 0 ? rc : rename_in_store(ctx, domid, &move);
}

int xenfork__xen_disk_paths(xenfork_ctx *ctx, uint32_t domid, char ***paths_out,
                            size_t *count_out)
{
    unsigned int i, devices = 0;
    cleanup_free char **devids = xenfork__xs_list(
        ctx, &devices, "/libxl/%u/device/vbd", domid);
    char **paths = calloc((size_t)devices + 1, sizeof(*paths));
    size_t count = 0;

    if (!paths)
        return xenfork__nomem(ctx);
    for (i = 0; devids && i < devices; i++) {
        char *path = xenfork__xs_read(ctx, XBT_NULL,
                                      "/libxl/%u/device/vbd/%s/params", domid,
                                      devids[i]);

        if (path)
            paths[count++] = path;
    }
    *paths_out = paths;
    *count_out = count;
    return 0;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Disks of a live domain, in libxl's record of it. */
#include "xen-handles.h"

#include <string.h>

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

int xenfork__xen_disk_moved(xenfork_ctx *ctx, uint32_t domid, const char *vdev,
                            const char *path, const char *format)
{
    struct move move = {.vdev = vdev, .path = path};

    if (libxl_disk_format_from_string(format, &move.format))
        return xenfork__fail(ctx, XENFORK_E_XEN, 0,
                             "libxl does not know the format %s", format);
    return xenfork__stored_change(ctx, domid, move_disk, &move);
}

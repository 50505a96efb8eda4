/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Disks of a live domain, in libxl's record of it. */
#include "xen-handles.h"

#include <string.h>

struct move {
    const char *vdev, *path;
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
        disk->backend = LIBXL_DISK_BACKEND_PHY;
        disk->format = LIBXL_DISK_FORMAT_RAW;
    }
    return true;
}

int xenfork__xen_disk_moved(xenfork_ctx *ctx, uint32_t domid, const char *vdev,
                            const char *path)
{
    return xenfork__stored_change(ctx, domid, move_disk,
                                  &(struct move){.vdev = vdev, .path = path});
}

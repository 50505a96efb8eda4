/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The disks that clones are to get, before they are made. */
#include "disk/disk.h"

#include <string.h>
#include <sys/stat.h>

/* Do something with the path of each disk that a clone is to get. */
typedef int announced_fn(xenfork_ctx *ctx,
                         const struct xenfork__disk_driver *driver,
                         const char *path, void *opaque);

static int each_announced(xenfork_ctx *ctx, const xenfork_spec *spec,
                          const struct xenfork__config *config,
                          const struct xenfork__record *image,
                          const uint8_t uuid[16], announced_fn *act,
                          void *opaque)
{
    uint32_t i;
    int rc = 0;

    for (i = 0; i < image->disk_count && rc >= 0; i++) {
        const struct xenfork__record_disk *base = &image->disks[i];
        const struct xenfork__disk_driver *driver = NULL;
        cleanup_free char *path = NULL;

        if (base->index >= config->disk_count ||
            !strcmp(xenfork__spec_disk(spec, base->vdev), XENFORK__DISK_NONE))
            continue;
        if ((rc = xenfork__disk_of_record(ctx, base->driver, &driver)) == 0 &&
            (rc = driver->path(ctx, &config->disks[base->index], uuid,
                               &path)) == 0)
            rc = act(ctx, driver, path, opaque);
    }
    return rc;
}

static int check_new(xenfork_ctx *ctx,
                     const struct xenfork__disk_driver *driver,
                     const char *path, void *opaque)
{
    const char *file = strchr(path, '/');
    bool exists = false;
    struct stat st;
    int rc = 0;

    (void)opaque;
    if (driver->exists)
        rc = driver->exists(ctx, path, &exists);
    else
        exists = file && lstat(file, &st) == 0;
    if (rc < 0 || !exists)
        return rc;
    xenfork__fail(ctx, XENFORK_E_EXISTS, 0,
                  "%s exists already: a clone with this UUID has left it",
                  file ? file : path);
    return xenfork__remedy(ctx, "choose another UUID, or move it away");
}

int xenfork__disk_check_new(xenfork_ctx *ctx,
                            const struct xenfork__disk_driver *driver,
                            const struct xenfork__disk *disk,
                            const uint8_t uuid[16])
{
    cleanup_free char *path = NULL;
    int rc = driver->path(ctx, disk, uuid, &path);

    return rc < 0 ? rc : check_new(ctx, driver, path, NULL);
}

int xenfork__disks_check_new(xenfork_ctx *ctx, const xenfork_spec *spec,
                             const struct xenfork__config *config,
                             const struct xenfork__record *image,
                             const uint8_t uuid[16])
{
    return each_announced(ctx, spec, config, image, uuid, check_new, NULL);
}

static int journal_overlay(xenfork_ctx *ctx,
                           const struct xenfork__disk_driver *driver,
                           const char *path, void *opaque)
{
    int rc = xenfork__disk_note_place(ctx, path);

    return rc < 0 ? rc
                  : xenfork__journal_overlay(ctx, opaque, driver->name, path);
}

int xenfork__disks_announce(xenfork_ctx *ctx, struct xenfork__journal *journal,
                            const xenfork_spec *spec,
                            const struct xenfork__config *config,
                            const struct xenfork__record *image,
                            const uint8_t uuid[16])
{
    return each_announced(ctx, spec, config, image, uuid, journal_overlay,
                          journal);
}

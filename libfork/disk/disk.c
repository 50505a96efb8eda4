/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "disk/disk.h"

#include <string.h>

#include "disk/base.h"
#include "host/host.h"

/* The drivers that fork disks, in order of preference. */
static const struct xenfork__disk_driver *const preferred[] = {
    &xenfork__disk_share, &xenfork__disk_lvthin,  &xenfork__disk_qcow2,
    &xenfork__disk_vhd,   &xenfork__disk_reflink, &xenfork__disk_thin,
};

/* Those that only records name. */
static const struct xenfork__disk_driver *const recorded[] = {
    &xenfork__disk_plain,
};

const struct xenfork__disk_driver *xenfork__disk_driver(const char *name)
{
    size_t i;

    for (i = 0; i < ARRAY_SIZE(preferred); i++)
        if (!strcmp(preferred[i]->name, name))
            return preferred[i];
    for (i = 0; i < ARRAY_SIZE(recorded); i++)
        if (!strcmp(recorded[i]->name, name))
            return recorded[i];
    return NULL;
}

static int yields(xenfork_ctx *ctx, const struct xenfork__disk_driver *driver,
                  const struct xenfork__disk *disk, bool is_frozen,
                  bool *yields_out)
{
    *yields_out = false;
    return driver->yields ? driver->yields(ctx, disk, is_frozen, yields_out)
                          : 0;
}

/*
 * Tell whether the driver has answered that it cannot, so that others may be
 * asked.
 */
static bool is_refusal(int rc)
{
    return rc == XENFORK_E_DISK || rc == XENFORK_E_NOSPC;
}

/*
 * Choose the first driver that can fork the disk, unless it yields to a later
 * one.  If none can, the error is that of the driver for this format, or else
 * of the last one.
 */
static int choose_any(xenfork_ctx *ctx, const struct xenfork__disk *disk,
                      bool is_frozen,
                      const struct xenfork__disk_driver **driver_out)
{
    const struct xenfork__disk_driver *second = NULL;
    bool does_yield;
    size_t i;
    int rc = XENFORK_E_DISK;

    for (i = 0; i < ARRAY_SIZE(preferred) && is_refusal(rc); i++) {
        rc = preferred[i]->probe(ctx, disk, is_frozen);
        if (rc < 0 && preferred[i]->owns && preferred[i]->owns(ctx, disk))
            return rc;
        if (rc < 0)
            continue;
        rc = yields(ctx, preferred[i], disk, is_frozen, &does_yield);
        if (rc == 0 && does_yield) {
            second = second ? second : preferred[i];
            rc = XENFORK_E_DISK;
        } else if (rc == 0) {
            *driver_out = preferred[i];
        }
    }
    if (!is_refusal(rc) || !second)
        return rc;
    *driver_out = second;
    return 0;
}

static int probe_named(xenfork_ctx *ctx, const xenfork_spec *spec,
                       const struct xenfork__disk *disk, bool is_frozen,
                       const struct xenfork__disk_driver *driver)
{
    struct xenfork__disk wanted = *disk;

    wanted.options = xenfork__spec_disk_options(spec, disk->vdev);
    if (wanted.options && !driver->takes_options) {
        xenfork__miss(ctx, XENFORK_E_INVAL, "disk %s: %s takes no options",
                      disk->vdev, driver->name);
        return xenfork__remedy(ctx,
                               "man xenfork-disks lists those of each driver");
    }
    return driver->probe(ctx, &wanted, is_frozen);
}

int xenfork__disk_choose(xenfork_ctx *ctx, const xenfork_spec *spec,
                         const struct xenfork__disk *disk, bool is_frozen,
                         const struct xenfork__disk_driver **driver_out)
{
    const char *how = xenfork__spec_disk(spec, disk->vdev);
    const struct xenfork__disk_driver *driver = xenfork__disk_driver(how);
    int rc;

    if (!strcmp(how, XENFORK__DISK_AUTO))
        return choose_any(ctx, disk, is_frozen, driver_out);
    if (!strcmp(how, XENFORK__DISK_NONE)) {
        *driver_out = NULL;
        return 0;
    }
    if (!driver || !driver->probe) {
        xenfork__miss(ctx, XENFORK_E_INVAL, "disk %s: there is no driver %s",
                      disk->vdev, how);
        return xenfork__remedy(ctx, "man xenfork-disks lists the drivers");
    }
    rc = probe_named(ctx, spec, disk, is_frozen, driver);
    if (rc == 0)
        *driver_out = driver;
    return rc;
}

static bool has_vdev(const struct xenfork__config *config, const char *vdev)
{
    uint32_t i;

    for (i = 0; i < config->disk_count; i++)
        if (!strcmp(config->disks[i].vdev, vdev))
            return true;
    return false;
}

int xenfork__disks_wishes(xenfork_ctx *ctx, const xenfork_spec *spec,
                          const struct xenfork__config *config)
{
    uint32_t i;

    for (i = 0; spec && i < spec->disk_count; i++) {
        if (has_vdev(config, spec->disks[i].vdev))
            continue;
        xenfork__miss(ctx, XENFORK_E_DISK, "%s has no disk %s", config->name,
                      spec->disks[i].vdev);
        return xenfork__remedy(ctx, "xl fork-check names its disks");
    }
    return 0;
}

int xenfork__disk_of_record(xenfork_ctx *ctx, const char *name,
                            const struct xenfork__disk_driver **driver_out)
{
    const struct xenfork__disk_driver *driver = xenfork__disk_driver(name);

    if (!driver || !driver->remove)
        return xenfork__fail(ctx, XENFORK_E_STATE, 0,
                             "a record names the disk driver %s, which is "
                             "unknown",
                             name);
    *driver_out = driver;
    return 0;
}

int xenfork__disk_remove(xenfork_ctx *ctx, const char *driver, const char *path)
{
    const struct xenfork__disk_driver *d = NULL;
    int rc = xenfork__disk_of_record(ctx, driver, &d);

    if (rc < 0 || (rc = xenfork__disk_check_place(ctx, path)) < 0)
        return rc;
    return d->remove(ctx, path);
}

int xenfork__disk_collapser(xenfork_ctx *ctx, const struct xenfork__disk *disk,
                            const struct xenfork__disk_driver **driver_out)
{
    size_t i;
    int rc;

    *driver_out = NULL;
    for (i = 0; i < ARRAY_SIZE(preferred); i++) {
        if (!preferred[i]->collapse)
            continue;
        rc = preferred[i]->probe(ctx, disk, false);
        if (rc == 0)
            *driver_out = preferred[i];
        else if (!is_refusal(rc))
            return rc;
    }
    return 0;
}

int xenfork__disk_abort(xenfork_ctx *ctx, const char *driver,
                        const struct xenfork__snapshot *snapshot)
{
    const struct xenfork__disk_driver *d = NULL;
    int rc = xenfork__disk_of_record(ctx, driver, &d);

    if (rc == 0 && d->abort)
        rc = d->abort(ctx, snapshot);
    xenfork__disks_hang_up(ctx);
    return rc;
}

int xenfork__disk_detach_recover(xenfork_ctx *ctx, const char *driver,
                                 const struct xenfork__snapshot *snapshot,
                                 bool *is_switched_out)
{
    const struct xenfork__disk_driver *d = NULL;
    int rc = xenfork__disk_of_record(ctx, driver, &d);

    *is_switched_out = false;
    if (rc == 0 && d->detach_recover)
        rc = d->detach_recover(ctx, snapshot, is_switched_out);
    xenfork__disks_hang_up(ctx);
    return rc;
}

void xenfork__disks_hang_up(xenfork_ctx *ctx)
{
    size_t i;

    for (i = 0; i < ARRAY_SIZE(preferred); i++)
        if (preferred[i]->hang_up)
            preferred[i]->hang_up(ctx);
}

/*
 * Add a remedy where a program that makes files for a driver has failed: all
 * that we know is its text.  @path may begin with the driver's own word.
 */
static int not_made(xenfork_ctx *ctx, int rc, const char *path)
{
    const char *file = strchr(path, '/');

    if (!is_refusal(rc) || ctx->error.remedy[0] || !file ||
        !xenfork__sys_is_full(file))
        return rc;
    ctx->error.code = XENFORK_E_NOSPC;
    return xenfork__remedy(ctx, "its file system is full: make room there");
}

static int prepare_one(xenfork_ctx *ctx,
                       const struct xenfork__disks_source *source,
                       const struct xenfork__disk_driver *driver,
                       uint32_t index, struct xenfork__record *image)
{
    const struct xenfork__disk *disk = &source->config->disks[index];
    cleanup_free char *path = NULL;
    int rc = driver->path(ctx, disk, image->uuid, &path);

    if (rc < 0)
        return rc;
    if (!path)
        return xenfork__shared_note(ctx, image, disk);
    if ((rc = xenfork__disk_note_place(ctx, path)) < 0 ||
        (rc = xenfork__journal_snapshot(
             ctx, source->journal, driver->name,
             &(struct xenfork__journal_disk){
                 .path = path, .vdev = disk->vdev, .from = disk->path})) < 0 ||
        (rc = driver->prepare(ctx, &(struct xenfork__snapshot){
                                       .domid = source->domid,
                                       .vdev = disk->vdev,
                                       .from = disk->path,
                                       .to = path,
                                       .is_frozen = source->is_frozen})) < 0)
        return not_made(ctx, rc, path);
    return xenfork__record_add_disk(ctx, image, index, disk->vdev, driver->name,
                                    path, disk->path);
}

int xenfork__disks_prepare(xenfork_ctx *ctx,
                           const struct xenfork__disks_source *source,
                           struct xenfork__record *image)
{
    uint32_t i;
    int rc = 0;

    for (i = 0; i < source->config->disk_count && rc >= 0; i++) {
        const struct xenfork__disk_driver *driver = NULL;

        rc = xenfork__disk_choose(ctx, source->spec, &source->config->disks[i],
                                  source->is_frozen, &driver);
        if (rc == 0 && driver)
            rc = prepare_one(ctx, source, driver, i, image);
    }
    return rc;
}

int xenfork__disks_thaw(xenfork_ctx *ctx, const struct xenfork__config *config)
{
    uint32_t i;
    size_t d;
    int rc = 0;

    for (i = 0; i < config->disk_count && rc >= 0; i++)
        for (d = 0; d < ARRAY_SIZE(preferred) && rc >= 0; d++)
            if (preferred[d]->thaw && config->disks[i].path &&
                config->disks[i].is_readwrite)
                rc = preferred[d]->thaw(ctx, config->disks[i].path);
    return rc;
}

/*
 * Take one snapshot; the path may have come to lead elsewhere since the source
 * was examined.
 */
static int snapshot_one(xenfork_ctx *ctx, uint32_t domid,
                        const struct xenfork__record_disk *base)
{
    const struct xenfork__disk_driver *driver = NULL;
    int rc = xenfork__disk_of_record(ctx, base->driver, &driver);

    if (rc < 0 ||
        (rc = xenfork__disk_is_served(ctx, domid, base->vdev, base->from)) < 0)
        return rc;
    return driver->snapshot(ctx, &(struct xenfork__snapshot){.domid = domid,
                                                             .vdev = base->vdev,
                                                             .from = base->from,
                                                             .to = base->path});
}

int xenfork__disks_snapshot(xenfork_ctx *ctx, uint32_t domid,
                            const struct xenfork__record *image)
{
    uint32_t i;
    int rc = 0;

    for (i = 0; i < image->disk_count && rc >= 0; i++)
        rc = snapshot_one(ctx, domid, &image->disks[i]);
    if (rc == 0)
        xenfork__disks_hang_up(ctx);
    return rc;
}

static int clone_one(xenfork_ctx *ctx, const struct xenfork__disk *disk,
                     const struct xenfork__record_disk *base,
                     struct xenfork__record *clone, const uint8_t uuid[16],
                     const char **script_out)
{
    const struct xenfork__disk_driver *driver = NULL;
    cleanup_free char *path = NULL;
    int rc;

    if ((rc = xenfork__disk_of_record(ctx, base->driver, &driver)) < 0 ||
        (rc = driver->path(ctx, disk, uuid, &path)) < 0 ||
        (rc = driver->clone(ctx, base->path, path)) < 0)
        return path ? not_made(ctx, rc, path) : rc;
    *script_out = driver->script;
    return xenfork__record_add_disk(ctx, clone, base->index, base->vdev,
                                    driver->name, path, "");
}

static const struct xenfork__record_disk *base_at(
    const struct xenfork__record *image, uint32_t index)
{
    uint32_t i;

    for (i = 0; i < image->disk_count; i++)
        if (image->disks[i].index == index)
            return &image->disks[i];
    return NULL;
}

/*
 * Check the driver that is requested: the image's base was made by one driver,
 * and no other can use it.
 */
static int check_wish(xenfork_ctx *ctx, const struct xenfork__record *image,
                      const struct xenfork__record_disk *base, const char *how)
{
    if (!strcmp(how, XENFORK__DISK_AUTO) || !strcmp(how, base->driver))
        return 0;
    xenfork__fail(
        ctx, XENFORK_E_DISK, 0,
        "the base of disk %s of image %s was made by driver %s, not %s",
        base->vdev, image->name, base->driver, how);
    return xenfork__remedy(ctx, "leave out the driver");
}

static int clone_all(xenfork_ctx *ctx, const xenfork_spec *spec,
                     const struct xenfork__config *config,
                     const struct xenfork__record *image,
                     struct xenfork__record *clone, const uint8_t uuid[16],
                     struct xenfork__clone_disk *disks)
{
    uint32_t i;
    int rc;

    for (i = 0; i < config->disk_count; i++) {
        const struct xenfork__disk *disk = &config->disks[i];
        const struct xenfork__record_disk *base = base_at(image, i);
        const char *how = xenfork__spec_disk(spec, disk->vdev);

        /* Writable, and without a base: the image was made without it. */
        if (!strcmp(how, XENFORK__DISK_NONE) ||
            (!base && disk->path && disk->is_readwrite)) {
            disks[i].is_absent = true;
            continue;
        }
        if (!base && ((rc = xenfork__shared_check(ctx, image, disk)) < 0 ||
                      (rc = xenfork__shared_note(ctx, clone, disk)) < 0))
            return rc;
        if (!base)
            continue;
        if ((rc = check_wish(ctx, image, base, how)) < 0 ||
            (rc = clone_one(ctx, disk, base, clone, uuid, &disks[i].script)) <
                0)
            return rc;
    }
    for (i = 0; i < clone->disk_count; i++)
        disks[clone->disks[i].index].path = clone->disks[i].path;
    return 0;
}

int xenfork__disks_clone(xenfork_ctx *ctx, const xenfork_spec *spec,
                         const struct xenfork__config *config,
                         const struct xenfork__record *image,
                         struct xenfork__record *clone, const uint8_t uuid[16],
                         struct xenfork__clone_disk **disks_out)
{
    cleanup_free struct xenfork__clone_disk *disks = calloc(
        config->disk_count + 1, sizeof(*disks));
    int rc;

    if (!disks)
        return xenfork__nomem(ctx);
    rc = clone_all(ctx, spec, config, image, clone, uuid, disks);
    if (rc == 0)
        *disks_out = steal_ptr(disks);
    return rc;
}

int xenfork__disks_release(xenfork_ctx *ctx,
                           const struct xenfork__record *clone)
{
    uint32_t i;
    int rc = 0, r;

    for (i = 0; i < clone->disk_count; i++) {
        const struct xenfork__disk_driver *driver = xenfork__disk_driver(
            clone->disks[i].driver);

        r = driver && driver->release
                ? driver->release(ctx, clone->disks[i].path)
                : 0;
        rc = rc < 0 ? rc : r;
    }
    return rc;
}

static int remove_one(xenfork_ctx *ctx, const struct xenfork__record *record,
                      const struct xenfork__record_disk *disk)
{
    const struct xenfork__disk_driver *driver = NULL;
    int rc = xenfork__disk_of_record(ctx, disk->driver, &driver);

    if (rc < 0)
        return rc;
    if (driver->parent && record->kind == XENFORK_KIND_IMAGE)
        return xenfork__base_keep(ctx, record, disk);
    if (disk->other[0] &&
        (rc = xenfork__disk_remove(ctx, disk->other_driver, disk->other)) < 0)
        return rc;
    return xenfork__disk_remove(ctx, disk->driver, disk->path);
}

int xenfork__disks_remove(xenfork_ctx *ctx,
                          const struct xenfork__record *record)
{
    uint32_t i;
    int rc = 0, r;

    for (i = 0; i < record->disk_count; i++) {
        r = remove_one(ctx, record, &record->disks[i]);
        rc = rc < 0 ? rc : r;
    }
    return rc;
}

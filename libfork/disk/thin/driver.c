/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Raw files and block devices, by thin devices over them (dm-thin).  A running
 * source is behind a device of the script block-fork: its first snapshot
 * switches that from the file to a thin device over it, later ones are thin
 * snapshots.  These have no parent, so no chain grows.  A frozen source needs
 * nothing: the file itself is the base, as long as overlays are backed by it.
 * See thin.h
 */
#include "disk/disk.h"

#include <string.h>
#include <sys/stat.h>

#include "disk/thin/pool.h"
#include "disk/thin/thin.h"
#include "host/host.h"
#include "state/files.h"

#define SCRIPT "block-fork"

static int refuse_running(xenfork_ctx *ctx, const struct xenfork__disk *disk)
{
    bool is_full = false;
    int rc = xenfork__sys_can_reflink(ctx, disk->path, &is_full);

    if (rc < 0 && rc != XENFORK_E_DISK)
        return rc;
    if (is_full)
        return xenfork__raw_refuse_full(ctx, disk);
    xenfork__raw_refuse(ctx, disk,
                        "it has no reflinks, and is not behind block-fork's "
                        "device");
    return xenfork__remedy(
        ctx, "start the domain with script=block-fork before target= in its "
             "disk line; or put the disk on XFS, btrfs or a thin volume of "
             "LVM; or freeze the domain first (xl fork-freeze)");
}

/*
 * Check that the disk can be protected: started again with Xen's own script,
 * the source would write below its clones.  The kernel lets programs write to a
 * device that is read-only.
 */
static int check_protected(xenfork_ctx *ctx, const struct xenfork__disk *disk,
                           bool is_file)
{
    bool can_protect = false;
    int rc = is_file
                 ? xenfork__sys_file_can_protect(ctx, disk->path, &can_protect)
                 : 0;

    if (rc < 0 || can_protect)
        return rc;
    xenfork__raw_refuse(
        ctx, disk,
        is_file ? "its file system cannot make it immutable, so it could be "
                  "written while clones are backed by it"
                : "a block device cannot be made immutable, so it could be "
                  "written while clones are backed by it");
    return xenfork__remedy(ctx, "start the domain with script=block-fork "
                                "before target= in its disk line");
}

/* Check a disk against its record, which only clones' disks have */
static int check_disk_record(xenfork_ctx *ctx, const struct xenfork__disk *disk)
{
    cleanup_thin struct xenfork__thin *thin = NULL;
    int rc = xenfork__thin_peek(ctx, disk->path, &thin);

    return rc < 0 ? rc : xenfork__thin_check(ctx, thin);
}

static int thin_probe(xenfork_ctx *ctx, const struct xenfork__disk *disk,
                      bool is_frozen)
{
    bool is_file, is_ours = xenfork__raw_has_script(disk, SCRIPT);
    int rc = xenfork__raw_probe(ctx, disk, &is_file);

    if (rc < 0)
        return rc;
    if (disk->script && disk->script[0] && !is_ours)
        return xenfork__raw_refuse(ctx, disk, "it has a script");
    if (!is_ours && !is_frozen)
        return refuse_running(ctx, disk);
    if ((!is_ours && (rc = check_protected(ctx, disk, is_file)) < 0) ||
        (rc = check_disk_record(ctx, disk)) < 0)
        return rc;
    rc = xenfork__sys_dm_check(ctx);
    return rc == XENFORK_E_DISK
               ? xenfork__raw_refuse(ctx, disk, "this host has no dm-thin-pool")
               : rc;
}

/* Return a path in the folder of the disk's records. */
static int thin_path(xenfork_ctx *ctx, const struct xenfork__disk *disk,
                     const uint8_t uuid[16], char **path_out)
{
    cleanup_thin struct xenfork__thin *thin = NULL;
    cleanup_free char *in_dir = NULL;
    int rc = xenfork__thin_peek(ctx, disk->path, &thin);

    if (rc < 0)
        return rc;
    if (asprintf(&in_dir, "%s/", thin->dir) < 0) {
        in_dir = NULL;
        return xenfork__nomem(ctx);
    }
    return xenfork__raw_path(ctx, in_dir, disk->vdev, uuid,
                             XENFORK__THIN_SUFFIX, path_out);
}

/* Write the record of a new disk in the same folder. */
static int write_record(xenfork_ctx *ctx, const struct xenfork__thin *of,
                        const char *path, bool is_base, bool has_id,
                        uint64_t id)
{
    struct xenfork__thin thin = {.path = of->path,
                                 .dir = of->dir,
                                 .origin = of->origin,
                                 .origin_is = of->origin_is,
                                 .is_on_device = of->is_on_device,
                                 .sectors = of->sectors,
                                 .is_descriptor = true,
                                 .is_base = is_base,
                                 .has_id = has_id,
                                 .id = id};
    cleanup_free char *record = strdup(path);
    cleanup_free char *pool = NULL;
    int rc = has_id ? xenfork__pool_uuid(ctx, of->dir, &pool) : 0;

    if (!record)
        return xenfork__nomem(ctx);
    if (rc < 0)
        return rc;
    if (access(path, F_OK) == 0)
        return xenfork__fail(ctx, XENFORK_E_EXISTS, 0, "%s exists already",
                             path);
    thin.record = record;
    thin.pool = pool;
    return xenfork__thin_save(ctx, &thin);
}

/* Prepare everything but the switch itself. */
static int prepare_switch(xenfork_ctx *ctx, struct xenfork__thin *thin)
{
    cleanup_free char *params = NULL;
    int rc;

    if ((rc = xenfork__thin_make_head(ctx, thin)) < 0 ||
        (rc = xenfork__thin_table(ctx, thin, &params)) < 0)
        return rc;
    return xenfork__sys_dm_load(
        ctx, thin->device,
        &(struct xenfork__dm_table){
            .sectors = thin->sectors, .type = "thin", .params = params});
}

/* Commit now what the pool has not committed, not in the stun. */
static int prepare_snapshot(xenfork_ctx *ctx, const struct xenfork__thin *thin,
                            const char *to)
{
    cleanup_free char *node = NULL;
    uint64_t id;
    int rc = xenfork__pool_new_id(ctx, thin->dir, &id);

    if (rc < 0 || (rc = write_record(ctx, thin, to, true, true, id)) < 0)
        return rc;
    if (asprintf(&node, XENFORK__DM_DIR "%s", thin->device) < 0) {
        node = NULL;
        return xenfork__nomem(ctx);
    }
    return xenfork__sys_disk_flush(ctx, node);
}

static int prepare_attached(xenfork_ctx *ctx, struct xenfork__thin *thin,
                            const char *to)
{
    int rc;

    if (thin->has_id)
        return prepare_snapshot(ctx, thin, to);
    rc = write_record(ctx, thin, to, true, false, 0);
    return rc < 0 ? rc : prepare_switch(ctx, thin);
}

/* Prepare a frozen source: its file is the base, which nobody may write. */
static int prepare_frozen(xenfork_ctx *ctx, const struct xenfork__thin *thin,
                          const struct xenfork__snapshot *snapshot)
{
    int rc;

    if (!snapshot->is_frozen || thin->has_id || thin->is_descriptor)
        return xenfork__fail(ctx, XENFORK_E_DISK, 0,
                             "disk %s (%s) is not behind block-fork's device",
                             snapshot->vdev, snapshot->from);
    rc = write_record(ctx, thin, snapshot->to, true, false, 0);
    return rc < 0 ? rc : xenfork__sys_file_protect(ctx, thin->origin, true);
}

static int thin_prepare(xenfork_ctx *ctx,
                        const struct xenfork__snapshot *snapshot)
{
    cleanup_thin struct xenfork__thin *thin = NULL;
    bool is_there;
    int rc;

    if ((rc = xenfork__thin_open(ctx, snapshot->from, &thin)) < 0 ||
        (rc = xenfork__thin_check(ctx, thin)) < 0 ||
        (rc = xenfork__make_dir(ctx, thin->dir)) < 0 ||
        (rc = xenfork__pool_use(ctx, thin->dir)) < 0 ||
        (rc = xenfork__pool_grow(ctx, thin->dir)) < 0 ||
        (rc = xenfork__thin_mend(ctx, thin, &is_there)) < 0)
        return rc;
    return is_there ? prepare_attached(ctx, thin, snapshot->to)
                    : prepare_frozen(ctx, thin, snapshot);
}

/*
 * Take the snapshot of an attached disk; from the first one on nobody writes to
 * the file itself.
 */
static int snapshot_attached(xenfork_ctx *ctx, const struct xenfork__thin *thin,
                             const struct xenfork__thin *base)
{
    int rc = xenfork__sys_dm_suspend(ctx, thin->device, true), r;

    if (rc < 0)
        return rc;
    if (base->has_id)
        rc = xenfork__pool_snapshot(ctx, thin->dir, base->id, thin->id);
    r = xenfork__sys_dm_resume(ctx, thin->device);
    rc = rc < 0 ? rc : r;
    return rc < 0 || base->has_id
               ? rc
               : xenfork__sys_file_protect(ctx, thin->origin, true);
}

static int thin_snapshot(xenfork_ctx *ctx,
                         const struct xenfork__snapshot *snapshot)
{
    cleanup_thin struct xenfork__thin *thin = NULL;
    cleanup_thin struct xenfork__thin *base = NULL;
    struct xenfork__dm_info info;
    int rc;

    if ((rc = xenfork__thin_open(ctx, snapshot->from, &thin)) < 0 ||
        (rc = xenfork__thin_peek(ctx, snapshot->to, &base)) < 0 ||
        (rc = xenfork__sys_dm_info(ctx, thin->device, &info)) < 0)
        return rc;
    return info.is_there ? snapshot_attached(ctx, thin, base) : 0;
}

/*
 * Make a device in the pool, empty or a snapshot, and a record of it
 * beforehand.  Outside of the stun the immutable flag of the origin is flushed,
 * too.
 */
static int thin_clone(xenfork_ctx *ctx, const char *from, const char *to)
{
    cleanup_thin struct xenfork__thin *base = NULL;
    uint64_t id;
    int rc;

    rc = xenfork__thin_open(ctx, from, &base);
    if (rc == XENFORK_E_NOTFOUND)
        return xenfork__fail(ctx, XENFORK_E_DISK, 0, "the base is gone: %s",
                             from);
    if (rc < 0 || (rc = xenfork__thin_check(ctx, base)) < 0 ||
        (rc = xenfork__sys_disk_flush(ctx, base->origin)) < 0 ||
        (rc = xenfork__pool_use(ctx, base->dir)) < 0 ||
        (rc = xenfork__pool_grow(ctx, base->dir)) < 0 ||
        (rc = xenfork__pool_new_id(ctx, base->dir, &id)) < 0 ||
        (rc = write_record(ctx, base, to, false, true, id)) < 0)
        return rc;
    return base->has_id ? xenfork__pool_snapshot(ctx, base->dir, id, base->id)
                        : xenfork__pool_make(ctx, base->dir, id);
}

/*
 * Remove a disk that has a record, and everything that is not needed without
 * it.
 */
static int remove_known(xenfork_ctx *ctx, const struct xenfork__thin *thin)
{
    bool is_moved, is_in_pool;
    int rc;

    if ((rc = xenfork__thin_finish_move(ctx, thin, &is_moved)) < 0 ||
        (!is_moved && (rc = xenfork__thin_remove_device(ctx, thin)) < 0) ||
        (rc = xenfork__thin_is_in_pool(ctx, thin, &is_in_pool)) < 0 ||
        (thin->has_id && is_in_pool &&
         ((rc = xenfork__pool_use(ctx, thin->dir)) < 0 ||
          (rc = xenfork__pool_remove_device(ctx, thin->dir, thin->id)) < 0)) ||
        (rc = xenfork__file_remove(ctx, thin->record)) < 0)
        return rc;
    return xenfork__thin_sweep(ctx, thin);
}

/* Remove the record of a writer that was killed. */
static int remove_half_written(xenfork_ctx *ctx, const char *path)
{
    cleanup_free char *half = NULL;

    if (asprintf(&half, "%s" XENFORK__THIN_UNFINISHED, path) < 0) {
        half = NULL;
        return xenfork__nomem(ctx);
    }
    return xenfork__file_remove(ctx, half);
}

static int thin_remove(xenfork_ctx *ctx, const char *path)
{
    cleanup_thin struct xenfork__thin *thin = NULL;
    cleanup_free char *dir = strdup(path);
    cleanup_lock struct xenfork__lock *lock = NULL;
    struct xenfork__thin_users users;
    int rc = xenfork__thin_open(ctx, path, &thin);

    if (!dir)
        return xenfork__nomem(ctx);

    if (rc == 0)
        return remove_known(ctx, thin);
    if (rc != XENFORK_E_NOTFOUND || (rc = remove_half_written(ctx, path)) < 0)
        return rc;
    /* The process that began to make it may have begun with the pool. */
    *strrchr(dir, '/') = '\0';
    if (access(dir, F_OK) || (rc = xenfork__dir_check(ctx, dir)) < 0 ||
        (rc = xenfork__thin_lock(ctx, dir, &lock)) < 0 ||
        (rc = xenfork__thin_users(ctx, dir, "", &users)) < 0)
        return rc;
    return users.records ? xenfork__pool_release(ctx, dir)
                         : xenfork__thin_sweep_folder(ctx, dir);
}

/*
 * Undo a snapshot.  If the source was switched, removing the last overlay of
 * its file switches it back.
 */
static int thin_abort(xenfork_ctx *ctx,
                      const struct xenfork__snapshot *snapshot)
{
    cleanup_thin struct xenfork__thin *thin = NULL;
    bool is_there;
    int rc = xenfork__thin_open(ctx, snapshot->from, &thin);

    if (rc == 0)
        rc = xenfork__thin_mend(ctx, thin, &is_there);
    xenfork__thin_close(steal_ptr(thin)); /* remove locks, too */
    return rc < 0 && rc != XENFORK_E_NOTFOUND ? rc
                                              : thin_remove(ctx, snapshot->to);
}

/* Forget the base of an image that is removed when the source is thawed. */
static int drop_base(xenfork_ctx *ctx, const char *path)
{
    cleanup_record struct xenfork__record *image = NULL;
    char text[XENFORK__UUID_CHARS];
    uint8_t uuid[16];
    int rc;

    snprintf(text, sizeof(text), "%s", strrchr(path, '/') + 1);
    rc = xenfork__uuid_parse(text, uuid)
             ? xenfork__record_load(ctx, XENFORK_KIND_IMAGE, uuid, &image)
             : XENFORK_E_NOTFOUND;
    if (rc < 0 && rc != XENFORK_E_NOTFOUND)
        return rc;
    if (rc == XENFORK_E_NOTFOUND || !image->is_kept)
        return xenfork__file_remove(ctx, path);
    xenfork__fail(ctx, XENFORK_E_INUSE, 0, "image %s needs the disk as it is",
                  image->name);
    return xenfork__remedy(ctx, "xl fork-image-destroy %s", image->name);
}

static int drop_if_base(xenfork_ctx *ctx, const char *path, void *opaque)
{
    const struct xenfork__thin *of = opaque;
    cleanup_thin struct xenfork__thin *thin = NULL;
    int rc = xenfork__thin_peek(ctx, path, &thin);

    return rc == 0 && thin->is_base && !strcmp(thin->origin_is, of->origin_is)
               ? drop_base(ctx, path)
               : rc;
}

static int drop_all_base(xenfork_ctx *ctx, struct xenfork__thin *of)
{
    int rc = xenfork__thin_each(ctx, of->dir, XENFORK__THIN_SUFFIX,
                                drop_if_base, of);

    return rc < 0 ? rc : xenfork__thin_sweep(ctx, of);
}

/* Tell whether the driver may be responsible for this disk. */
static bool may_be_thin(const char *path)
{
    struct stat st;

    return path[0] == '/' && !stat(path, &st) &&
           (S_ISREG(st.st_mode) || S_ISBLK(st.st_mode));
}

/*
 * Check that the source may write again: with a device of ours it never writes
 * its file.
 */
static int thin_thaw(xenfork_ctx *ctx, const char *path)
{
    cleanup_thin struct xenfork__thin *thin = NULL;
    struct xenfork__thin_users users;
    struct xenfork__dm_info info;
    int rc;

    if (!may_be_thin(path))
        return 0;
    if ((rc = xenfork__thin_open(ctx, path, &thin)) < 0 ||
        access(thin->dir, F_OK) ||
        (rc = xenfork__sys_dm_info(ctx, thin->device, &info)) < 0 ||
        info.is_there ||
        (rc = xenfork__thin_users(ctx, thin->dir, thin->origin_is, &users)) <
            0 ||
        (!users.overlays &&
         (rc = xenfork__thin_check_doubt(ctx, thin, &users)) < 0))
        return rc;
    if (!users.overlays)
        return users.base ? drop_all_base(ctx, thin) : 0;
    xenfork__fail(ctx, XENFORK_E_INUSE, 0,
                  "disks of %u clones are backed by %s: it must not be written",
                  users.overlays, path);
    return xenfork__remedy(ctx, "destroy the clones, or start the source "
                                "with script=block-fork");
}

/*
 * Return the space of a disk; only the pool's metadata tell how much is shared.
 */
static int thin_usage(xenfork_ctx *ctx, const char *path,
                      uint64_t *allocated_kib_out, uint64_t *own_kib_out)
{
    cleanup_thin struct xenfork__thin *thin = NULL;
    struct xenfork__dm_info info;
    uint64_t sectors = 0;
    int rc, r;

    if ((rc = xenfork__thin_open(ctx, path, &thin)) < 0 ||
        (rc = xenfork__sys_dm_info(ctx, thin->device, &info)) < 0)
        return rc == XENFORK_E_NOTFOUND
                   ? xenfork__fail(ctx, XENFORK_E_DISK, 0, "no disk %s", path)
                   : rc;
    if (thin->has_id &&
        (info.is_there || ((rc = xenfork__thin_check(ctx, thin)) == 0 &&
                           (rc = xenfork__thin_make(ctx, thin, true)) == 0)))
        rc = xenfork__thin_mapped(ctx, thin, &sectors);
    if (thin->has_id && !info.is_there) {
        r = xenfork__thin_remove_device(ctx, thin);
        rc = rc < 0 ? rc : r;
        r = xenfork__thin_release(ctx, thin);
        rc = rc < 0 ? rc : r;
    }
    if (rc < 0)
        return rc;
    *allocated_kib_out = sectors * XENFORK__SECTOR_BYTES / 1024;
    *own_kib_out = XENFORK_NOT_KNOWN;
    return 0;
}

static int thin_attach(xenfork_ctx *ctx, const char *path, bool is_readonly,
                       struct xenfork__device *device_out)
{
    struct xenfork__device device = {.fd = -1};
    cleanup_free char *node = NULL;
    int rc;

    if ((rc = xenfork__thin_attach(ctx, path, is_readonly, false, &node)) < 0 ||
        (rc = xenfork__thin_number(ctx, path, &device.number)) < 0)
        return rc;
    snprintf(device.node, sizeof(device.node), "%s", node);
    *device_out = device;
    return 0;
}

const struct xenfork__disk_driver xenfork__disk_thin = {
    .name = "thin",
    .why = "a raw file or device, by device-mapper",
    .script = SCRIPT,
    .probe = thin_probe,
    .path = thin_path,
    .prepare = thin_prepare,
    .snapshot = thin_snapshot,
    .abort = thin_abort,
    .clone = thin_clone,
    .attach = thin_attach,
    .remove = thin_remove,
    .detach = xenfork__thin_make_own,
    .detach_recover = xenfork__thin_detach_recover,
    .is_moved = true,
    .thaw = thin_thaw,
    .usage = thin_usage,
};

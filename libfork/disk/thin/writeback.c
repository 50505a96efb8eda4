/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Write back into a file that backs nothing any more. */
#include "disk/thin/thin.h"

#include <string.h>

#include "disk/thin/pool.h"
#include "state/files.h"

/*
 * The most (1 GiB) that is written back while libxl waits for the script; more
 * only on request.
 */
#define QUICK_SECTORS (2U << 20)

static int copy_back(xenfork_ctx *ctx, const struct xenfork__thin *head)
{
    cleanup_map struct xenfork__thin_map map = {0};
    cleanup_free char *node = NULL;
    int rc;

    if (asprintf(&node, XENFORK__DM_DIR "%s", head->device) < 0) {
        node = NULL;
        return xenfork__nomem(ctx);
    }
    if ((rc = xenfork__pool_map(ctx, head->dir, head->id, &map)) < 0 ||
        (rc = xenfork__sys_file_protect(ctx, head->origin, false)) < 0)
        return rc;
    rc = xenfork__sys_disk_copy(ctx, node, head->origin, map.blocks, map.count,
                                XENFORK__POOL_BLOCK_BYTES);
    if (rc < 0) {
        keep_error struct xenfork__kept kept = xenfork__keep(ctx);

        /* Half of it is in the file: nobody must take that for the disk. */
        xenfork__sys_file_protect(ctx, head->origin, true);
    }
    return rc;
}

/*
 * Write back into the file what the domain has written since the first
 * snapshot.  This may be repeated: until the record is removed, the head
 * counts.
 */
static int write_back_head(xenfork_ctx *ctx, const struct xenfork__thin *head,
                           bool is_waiting, bool *is_done_out)
{
    uint64_t sectors;
    int rc = xenfork__thin_make(ctx, head, true), r;

    if (rc == 0)
        rc = xenfork__thin_mapped(ctx, head, &sectors);
    *is_done_out = rc == 0 && (is_waiting || sectors <= QUICK_SECTORS);
    if (*is_done_out && sectors)
        rc = copy_back(ctx, head);
    r = xenfork__thin_remove_device(ctx, head);
    return rc < 0 ? rc : r;
}

/* Keep the head: it has been written to meanwhile. */
static int stay(xenfork_ctx *ctx, const struct xenfork__thin *head)
{
    int rc;

    if ((rc = xenfork__sys_dm_clear(ctx, head->device)) < 0 ||
        (rc = xenfork__sys_dm_resume(ctx, head->device)) < 0)
        return rc;
    return xenfork__sys_file_protect(ctx, head->origin, true);
}

/*
 * Switch a disk that a domain uses back to the file, if the domain has written
 * nothing since the switch.  Otherwise this is done when it has ended.
 */
static int switch_back(xenfork_ctx *ctx, struct xenfork__thin *head,
                       bool *is_plain_out)
{
    cleanup_free char *params = NULL;
    cleanup_close int fd = -1;
    uint64_t mapped;
    int rc;

    if ((rc = xenfork__thin_mend(ctx, head, is_plain_out)) < 0 ||
        (*is_plain_out = !head->has_id) ||
        (rc = xenfork__thin_mapped(ctx, head, &mapped)) < 0 || mapped ||
        (rc = xenfork__sys_file_protect(ctx, head->origin, false)) < 0 ||
        (rc = xenfork__thin_linear(ctx, head, false, &params, &fd)) < 0 ||
        (rc = xenfork__sys_dm_load(
             ctx, head->device,
             &(struct xenfork__dm_table){.sectors = head->sectors,
                                         .type = "linear",
                                         .params = params})) < 0 ||
        (rc = xenfork__sys_dm_suspend(ctx, head->device, true)) < 0)
        return rc;
    rc = xenfork__thin_mapped(ctx, head, &mapped);
    if (rc < 0 || mapped) {
        int r = stay(ctx, head);

        return rc < 0 ? rc : r;
    }
    if ((rc = xenfork__sys_dm_resume(ctx, head->device)) < 0 ||
        (rc = xenfork__thin_remove_head(ctx, head)) < 0)
        return rc;
    *is_plain_out = true;
    return 0;
}

static int drop_unneeded(xenfork_ctx *ctx, const char *origin, bool is_waiting,
                         bool *is_plain_out)
{
    cleanup_thin struct xenfork__thin *head = NULL;
    struct xenfork__dm_info info;
    int rc = xenfork__thin_peek(ctx, origin, &head);

    if (rc < 0 || (rc = xenfork__thin_check(ctx, head)) < 0) {
        LOG_WARN(ctx,
                 "%s is gone: what was written to it since is kept, "
                 "ignoring",
                 origin);
        return 0;
    }
    rc = xenfork__sys_dm_info(ctx, head->device, &info);
    if (rc < 0 || info.is_there)
        return rc < 0 ? rc : switch_back(ctx, head, is_plain_out);
    rc = write_back_head(ctx, head, is_waiting, is_plain_out);
    return rc == 0 && *is_plain_out ? xenfork__thin_remove_head(ctx, head) : rc;
}

static int remove_file(xenfork_ctx *ctx, const char *path, void *opaque)
{
    (void)opaque;
    return xenfork__file_remove(ctx, path);
}

/*
 * Remove the pool and records that were never finished; other drivers' files
 * stay.
 */
int xenfork__thin_sweep_folder(xenfork_ctx *ctx, const char *dir)
{
    int rc;

    if ((rc = xenfork__thin_each(ctx, dir,
                                 XENFORK__THIN_HEAD XENFORK__THIN_UNFINISHED,
                                 remove_file, NULL)) < 0 ||
        (rc = xenfork__thin_each(ctx, dir,
                                 XENFORK__THIN_SUFFIX XENFORK__THIN_UNFINISHED,
                                 remove_file, NULL)) < 0 ||
        (rc = xenfork__pool_remove(ctx, dir)) < 0)
        return rc;
    if (rmdir(dir) && errno != ENOTEMPTY && errno != ENOENT)
        return xenfork__fail(ctx, XENFORK_E_STATE, errno, "cannot remove %s",
                             dir);
    return 0;
}

static int sweep_unused(xenfork_ctx *ctx, const struct xenfork__thin *thin,
                        bool is_waiting)
{
    struct xenfork__thin_users users;
    bool is_plain;
    int rc = xenfork__thin_users(ctx, thin->dir, thin->origin_is, &users);

    if (rc < 0)
        return rc;
    is_plain = !users.has_head;
    if (!users.overlays && !users.base && !users.unreadable) {
        if (users.has_head)
            rc = drop_unneeded(ctx, thin->origin, is_waiting, &is_plain);
        if (rc == 0 && is_plain)
            rc = xenfork__sys_file_protect(ctx, thin->origin, false);
        users.records -= users.has_head && is_plain;
    }
    if (rc == 0)
        rc = xenfork__thin_release(ctx, thin);
    return rc == 0 && !users.records
               ? xenfork__thin_sweep_folder(ctx, thin->dir)
               : rc;
}

int xenfork__thin_sweep(xenfork_ctx *ctx, const struct xenfork__thin *thin)
{
    return sweep_unused(ctx, thin, false);
}

int xenfork__thin_write_back(xenfork_ctx *ctx, const char *path)
{
    cleanup_thin struct xenfork__thin *thin = NULL;
    struct xenfork__thin_users users;
    struct xenfork__dm_info info;
    int rc;

    if ((rc = xenfork__thin_open(ctx, path, &thin)) < 0 ||
        (rc = xenfork__thin_check(ctx, thin)) < 0 ||
        (rc = xenfork__sys_dm_info(ctx, thin->device, &info)) < 0 ||
        (rc = xenfork__thin_users(ctx, thin->dir, thin->origin_is, &users)) < 0)
        return rc;
    if (thin->has_id && !thin->is_descriptor && !info.open_count &&
        !users.overlays && !users.base) {
        if ((rc = xenfork__thin_check_doubt(ctx, thin, &users)) < 0)
            return rc;
        rc = xenfork__thin_remove_device(ctx, thin);
        return rc < 0 ? rc : sweep_unused(ctx, thin, true);
    }
    if (!thin->has_id && !thin->is_descriptor)
        return 0; /* it is as it should be */
    xenfork__fail(ctx, XENFORK_E_INUSE, 0, "disk %s is in use", path);
    return xenfork__remedy(
        ctx,
        "shut its domain down, and destroy the clones whose disks are backed "
        "by it");
}

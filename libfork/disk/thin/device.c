/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The devices of disks: made when they are attached, and taken down. */
#include "disk/thin/thin.h"

#include <inttypes.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "disk/thin/pool.h"

int xenfork__thin_linear(xenfork_ctx *ctx, const struct xenfork__thin *thin,
                         bool is_readonly, char **params_out, int *fd_out)
{
    char loop[XENFORK__LOOP_BYTES];
    cleanup_close int fd = -1;
    uint64_t bytes;
    bool is_file;
    int rc = xenfork__sys_disk_size(ctx, thin->origin, &bytes, &is_file);

    if (rc == 0 && bytes / XENFORK__SECTOR_BYTES < thin->sectors)
        rc = xenfork__fail(ctx, XENFORK_E_DISK, 0, "%s has become smaller",
                           thin->origin);
    if (rc == 0 && is_file)
        rc = xenfork__sys_loop(ctx, thin->origin, is_readonly, &fd, loop);
    if (rc < 0)
        return rc;
    if (asprintf(params_out, "%s 0", is_file ? loop : thin->origin) < 0) {
        *params_out = NULL;
        return xenfork__nomem(ctx);
    }
    *fd_out = steal_fd(&fd);
    return 0;
}

static int make_linear(xenfork_ctx *ctx, const struct xenfork__thin *thin,
                       const char *device, bool is_readonly)
{
    cleanup_free char *params = NULL;
    cleanup_close int fd = -1;
    int rc = xenfork__thin_linear(ctx, thin, is_readonly, &params, &fd);

    if (rc < 0)
        return rc;
    return xenfork__sys_dm_create(
        ctx, device,
        &(struct xenfork__dm_table){.sectors = thin->sectors,
                                    .type = "linear",
                                    .params = params,
                                    .is_readonly = is_readonly});
}

int xenfork__thin_table(xenfork_ctx *ctx, const struct xenfork__thin *thin,
                        char **params_out)
{
    char pool[XENFORK__DM_NAME_BYTES];
    struct xenfork__dm_info info;
    int rc;

    xenfork__pool_name(thin->dir, pool);
    rc = xenfork__sys_dm_info(ctx, thin->base, &info);
    if (rc == 0 && !info.is_there)
        rc = make_linear(ctx, thin, thin->base, true);
    if (rc < 0)
        return rc;
    if (asprintf(params_out,
                 XENFORK__DM_DIR "%s %" PRIu64 " " XENFORK__DM_DIR "%s", pool,
                 thin->id, thin->base) < 0) {
        *params_out = NULL;
        return xenfork__nomem(ctx);
    }
    return 0;
}

int xenfork__thin_make(xenfork_ctx *ctx, const struct xenfork__thin *thin,
                       bool is_readonly)
{
    cleanup_free char *params = NULL;
    int rc;

    if (!thin->has_id)
        return make_linear(ctx, thin, thin->device, is_readonly);
    if ((rc = xenfork__pool_use(ctx, thin->dir)) < 0 ||
        (rc = xenfork__thin_table(ctx, thin, &params)) < 0)
        return rc;
    return xenfork__sys_dm_create(
        ctx, thin->device,
        &(struct xenfork__dm_table){.sectors = thin->sectors,
                                    .type = "thin",
                                    .params = params,
                                    .is_readonly = is_readonly});
}

/*
 * Make a head, then record it: one that no record names is empty, and does no
 * harm.
 */
int xenfork__thin_make_head(xenfork_ctx *ctx, struct xenfork__thin *thin)
{
    uint64_t id;
    int rc;

    if ((rc = xenfork__pool_new_id(ctx, thin->dir, &id)) < 0 ||
        (rc = xenfork__pool_make(ctx, thin->dir, id)) < 0)
        return rc;
    xenfork__free_ptr(&thin->pool);
    thin->pool = NULL;
    if ((rc = xenfork__pool_uuid(ctx, thin->dir, &thin->pool)) < 0)
        return rc;
    thin->id = id;
    thin->has_id = true;
    return xenfork__thin_save(ctx, thin);
}

int xenfork__thin_number(xenfork_ctx *ctx, const char *path,
                         uint64_t *number_out)
{
    cleanup_thin struct xenfork__thin *thin = NULL;
    struct xenfork__dm_info info;
    int rc;

    if ((rc = xenfork__thin_peek(ctx, path, &thin)) < 0 ||
        (rc = xenfork__sys_dm_info(ctx, thin->device, &info)) < 0)
        return rc;
    *number_out = info.is_there ? makedev(info.major, info.minor) : 0;
    return 0;
}

void xenfork__thin_name_under(const struct xenfork__thin *thin,
                              char name_out[XENFORK__DM_NAME_BYTES])
{
    snprintf(name_out, XENFORK__DM_NAME_BYTES, "%.100s-under", thin->device);
}

int xenfork__thin_remove_device(xenfork_ctx *ctx,
                                const struct xenfork__thin *thin)
{
    char under[XENFORK__DM_NAME_BYTES];
    struct xenfork__dm_info info;
    int rc = xenfork__sys_dm_info(ctx, thin->device, &info);

    if (rc < 0 || !info.is_there)
        return rc;
    if (info.is_suspended &&
        (rc = xenfork__sys_dm_resume(ctx, thin->device)) < 0)
        return rc;
    /* A move that was killed half-way has left a device below. */
    xenfork__thin_name_under(thin, under);
    /* Others may use it, who keep it: the folder is locked meanwhile. */
    if (info.is_readonly)
        rc = info.open_count > 1
                 ? XENFORK_E_BUSY
                 : xenfork__sys_dm_remove_soon(ctx, thin->device);
    else
        rc = xenfork__sys_dm_remove(ctx, thin->device);
    if (rc == 0)
        rc = xenfork__sys_dm_remove(ctx, under);
    if (rc != XENFORK_E_BUSY)
        return rc;
    return info.is_readonly
               ? 0
               : xenfork__fail(ctx, XENFORK_E_DISK, 0,
                               "disk %s is still in use", thin->path);
}

int xenfork__thin_release(xenfork_ctx *ctx, const struct xenfork__thin *thin)
{
    struct xenfork__dm_info info;
    int rc = xenfork__sys_dm_info(ctx, thin->base, &info);

    if (rc == 0 && info.is_there && !info.open_count)
        rc = xenfork__sys_dm_remove(ctx, thin->base);
    return rc < 0 && rc != XENFORK_E_BUSY
               ? rc
               : xenfork__pool_release(ctx, thin->dir);
}

int xenfork__thin_mapped(xenfork_ctx *ctx, const struct xenfork__thin *thin,
                         uint64_t *sectors_out)
{
    cleanup_free char *status = NULL;
    uint64_t sectors;
    int rc = xenfork__sys_dm_status(ctx, thin->device, &status);

    if (rc < 0)
        return rc;
    if (sscanf(status, "%" SCNu64, &sectors) != 1)
        return xenfork__fail(
            ctx, XENFORK_E_DISK, 0,
            "the thin device %s does not work: its status is %s", thin->device,
            status);
    *sectors_out = sectors;
    return 0;
}

int xenfork__thin_mend(xenfork_ctx *ctx, struct xenfork__thin *thin,
                       bool *is_there_out)
{
    cleanup_free char *type = NULL;
    cleanup_free char *params = NULL;
    struct xenfork__dm_info info;
    int rc = xenfork__sys_dm_info(ctx, thin->device, &info);

    if (rc < 0)
        return rc;
    *is_there_out = info.is_there;
    if (!info.is_there)
        return 0;
    if ((rc = xenfork__sys_dm_clear(ctx, thin->device)) < 0 ||
        (info.is_suspended &&
         (rc = xenfork__sys_dm_resume(ctx, thin->device)) < 0) ||
        (rc = xenfork__sys_dm_table(ctx, thin->device, &type, &params)) < 0 ||
        !thin->has_id || strcmp(type, "linear"))
        return rc;
    rc = xenfork__thin_remove_head(ctx, thin);
    if (rc == 0)
        thin->has_id = false;
    return rc;
}

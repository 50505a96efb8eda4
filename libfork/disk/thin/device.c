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

/* Made, then recorded: one that no record names is empty, and harms nobody. */
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

/* A file that deltas lie on must not be written, whoever attaches it. */
static int make_head_if_needed(xenfork_ctx *ctx, struct xenfork__thin *thin,
                               bool is_readonly)
{
    struct xenfork__thin_users users;
    int rc;

    if (thin->is_descriptor || thin->has_id || is_readonly)
        return 0;
    rc = xenfork__thin_users(ctx, thin->dir, thin->origin_is, &users);
    if (rc < 0 || (!users.deltas && !users.sealed))
        return rc;
    rc = xenfork__pool_use(ctx, thin->dir);
    return rc < 0 ? rc : xenfork__thin_make_head(ctx, thin);
}

static int make_device(xenfork_ctx *ctx, struct xenfork__thin *thin,
                       bool is_readonly)
{
    int rc = make_head_if_needed(ctx, thin, is_readonly);

    if (rc == 0)
        rc = xenfork__thin_make(ctx, thin, is_readonly);
    if (rc < 0 && thin->has_id) {
        __auto_type error = ctx->error;

        xenfork__thin_release(ctx, thin);
        ctx->error = error;
    }
    return rc;
}

/* One domain writes, or several read. */
static int check_use(xenfork_ctx *ctx, const struct xenfork__thin *thin,
                     const struct xenfork__dm_info *info, bool is_readonly)
{
    if (thin->is_sealed && !is_readonly)
        return xenfork__fail(ctx, XENFORK_E_DISK, 0,
                             "disk %s is a base, which nobody may write",
                             thin->path);
    if (!info->open_count || (is_readonly && info->is_readonly))
        return 0;
    xenfork__fail(ctx, XENFORK_E_INUSE, 0, "disk %s is in use", thin->path);
    return xenfork__remedy(ctx, "detach it from the domain that has it");
}

/* A device of this name may be that of another folder's record. */
static int check_device(xenfork_ctx *ctx, const struct xenfork__thin *thin)
{
    char pool[XENFORK__DM_NAME_BYTES];
    cleanup_free char *type = NULL;
    cleanup_free char *params = NULL;
    struct xenfork__dm_info info;
    uint64_t id;
    uint32_t major, minor;
    int rc;

    xenfork__pool_name(thin->dir, pool);
    if ((rc = xenfork__sys_dm_table(ctx, thin->device, &type, &params)) < 0 ||
        strcmp(type, "thin") != 0 ||
        (rc = xenfork__sys_dm_info(ctx, pool, &info)) < 0)
        return rc;
    if (thin->has_id && info.is_there &&
        sscanf(params, "%u:%u %" SCNu64, &major, &minor, &id) == 3 &&
        major == info.major && minor == info.minor && id == thin->id)
        return 0;
    xenfork__miss(ctx, XENFORK_E_DISK,
                  "%s is the device of another disk, not of %s", thin->device,
                  thin->path);
    return xenfork__remedy(ctx, "shut down the domain that has it");
}

/*
 * Sealed, and nothing here says why: it has a name in another folder, by a
 * hard link or a mount, and there is what was written to it since.
 */
static int check_sealed(xenfork_ctx *ctx, const struct xenfork__thin *thin)
{
    struct xenfork__thin_users users;
    bool is_sealed;
    int rc;

    if (thin->is_descriptor || thin->is_on_device)
        return 0;
    if ((rc = xenfork__sys_file_is_protected(ctx, thin->origin, &is_sealed)) <
            0 ||
        !is_sealed ||
        (rc = xenfork__thin_users(ctx, thin->dir, thin->origin_is, &users)) <
            0 ||
        users.deltas || users.sealed || users.has_head)
        return rc;
    xenfork__miss(ctx, XENFORK_E_DISK,
                  "%s is immutable, and no record in %s says why", thin->path,
                  thin->dir);
    return xenfork__remedy(
        ctx,
        "start the domain with the path with which it was forked; or, if you "
        "made the file immutable yourself: chattr -i");
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

int xenfork__thin_attach(xenfork_ctx *ctx, const char *path, bool is_readonly,
                         bool is_shared, char **node_out)
{
    cleanup_thin struct xenfork__thin *thin = NULL;
    cleanup_free char *node = NULL;
    struct xenfork__dm_info info;
    int rc;

    if ((rc = xenfork__thin_open(ctx, path, &thin)) < 0 ||
        (rc = xenfork__thin_check(ctx, thin)) < 0 ||
        (rc = xenfork__sys_dm_info(ctx, thin->device, &info)) < 0 ||
        (!is_shared && (rc = check_use(ctx, thin, &info, is_readonly)) < 0) ||
        (info.is_there && (rc = check_device(ctx, thin)) < 0) ||
        (!thin->has_id && (rc = check_sealed(ctx, thin)) < 0))
        return rc;
    if (asprintf(&node, XENFORK__DM_DIR "%s", thin->device) < 0) {
        node = NULL;
        return xenfork__nomem(ctx);
    }
    if (info.is_there && info.is_readonly != is_readonly && !info.open_count) {
        rc = xenfork__sys_dm_remove(ctx, thin->device);
        info.is_there = false;
    }
    if (rc == 0 && !info.is_there)
        rc = make_device(ctx, thin, is_readonly);
    else if (rc == 0 && thin->has_id)
        rc = xenfork__pool_use(ctx, thin->dir); /* and watched */
    if (rc == 0)
        *node_out = steal_ptr(node);
    return rc;
}

void xenfork__thin_name_under(const struct xenfork__thin *thin,
                              char name_out[XENFORK__DM_NAME_BYTES])
{
    snprintf(name_out, XENFORK__DM_NAME_BYTES, "%.100s-under", thin->device);
}

int xenfork__thin_unmake(xenfork_ctx *ctx, const struct xenfork__thin *thin)
{
    char under[XENFORK__DM_NAME_BYTES];
    struct xenfork__dm_info info;
    int rc = xenfork__sys_dm_info(ctx, thin->device, &info);

    if (rc < 0 || !info.is_there)
        return rc;
    if (info.is_suspended &&
        (rc = xenfork__sys_dm_resume(ctx, thin->device)) < 0)
        return rc;
    /* There is one below where a move was killed half-way. */
    xenfork__thin_name_under(thin, under);
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

/* What has been attached is not this disk's: its path leads elsewhere now. */
static bool is_other(const struct xenfork__thin *thin, const char *node)
{
    const char *ours = XENFORK__DM_DIR "xenfork-";

    return node && !strncmp(node, ours, strlen(ours)) &&
           (!thin || strcmp(node + strlen(XENFORK__DM_DIR), thin->device));
}

int xenfork__thin_detach(xenfork_ctx *ctx, const char *path, const char *node)
{
    cleanup_thin struct xenfork__thin *thin = NULL;
    char device[XENFORK__DM_NAME_BYTES];
    int rc = xenfork__thin_open(ctx, path, &thin);

    if (is_other(rc == 0 ? thin : NULL, node))
        return xenfork__sys_dm_remove(ctx, node + strlen(XENFORK__DM_DIR));
    if (rc == XENFORK_E_NOTFOUND) {
        /* A delta that has been moved into a file goes by its old name. */
        xenfork__thin_name_delta(path, device);
        return xenfork__sys_dm_remove(ctx, device);
    }
    if (rc < 0)
        return rc;
    rc = xenfork__thin_unmake(ctx, thin);
    if (rc == 0 && thin->has_id)
        rc = xenfork__thin_settle(ctx, thin);
    return rc;
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
        return xenfork__fail(ctx, XENFORK_E_DISK, 0,
                             "the thin device %s is out of order: %s",
                             thin->device, status);
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
    rc = xenfork__thin_drop_head(ctx, thin);
    if (rc == 0)
        thin->has_id = false;
    return rc;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Disks attached to a domain, for block-fork, and detached again. */
#include "disk/thin/thin.h"

#include <inttypes.h>
#include <string.h>

#include "disk/thin/pool.h"

/*
 * Make a head where the file backs overlays, or may do so: no domain may write
 * to it.
 */
static int make_head_if_needed(xenfork_ctx *ctx, struct xenfork__thin *thin,
                               bool is_readonly)
{
    struct xenfork__thin_users users;
    bool may_back;
    int rc;

    if (thin->is_descriptor || thin->has_id || is_readonly)
        return 0;
    if ((rc = xenfork__thin_users(ctx, thin->dir, thin->origin_is, &users)) <
            0 ||
        (rc = xenfork__thin_may_back(ctx, thin, &users, &may_back)) < 0 ||
        (!users.overlays && !users.base && !may_back))
        return rc;
    rc = xenfork__pool_use(ctx, thin->dir);
    return rc < 0 ? rc : xenfork__thin_make_head(ctx, thin);
}

/*
 * Refuse to write blocks of another device that backs disks of clones.  Where a
 * record is unreadable, this device gets a head, and is not written.
 */
static int check_other(xenfork_ctx *ctx, const char *path, void *opaque)
{
    const struct xenfork__thin *thin = opaque;
    cleanup_thin struct xenfork__thin *other = NULL;
    bool does_overlap = false;
    int rc = xenfork__thin_peek(ctx, path, &other);

    if (rc < 0 || !strcmp(other->origin_is, thin->origin_is))
        return rc == XENFORK_E_NOTFOUND || rc == XENFORK_E_STATE ? 0 : rc;
    rc = xenfork__sys_overlaps(ctx, thin->origin, other->origin, &does_overlap);
    /* A device that is gone cannot be written. */
    if (rc == XENFORK_E_DISK || (rc == 0 && !does_overlap))
        return 0;
    if (rc < 0)
        return rc;
    xenfork__fail(ctx, XENFORK_E_INUSE, 0,
                  "%s has blocks of %s, which backs disks of clones",
                  thin->origin, other->origin);
    return xenfork__remedy(ctx,
                           "destroy the clones first, or start the domain "
                           "with %s",
                           other->origin);
}

static int make_device(xenfork_ctx *ctx, struct xenfork__thin *thin,
                       bool is_readonly)
{
    int rc = thin->is_on_device && !thin->is_descriptor && !is_readonly
                 ? xenfork__thin_each(ctx, thin->dir, XENFORK__THIN_SUFFIX,
                                      check_other, thin)
                 : 0;

    if (rc == 0)
        rc = make_head_if_needed(ctx, thin, is_readonly);
    if (rc == 0)
        rc = xenfork__thin_make(ctx, thin, is_readonly);
    if (rc < 0 && thin->has_id) {
        keep_error struct xenfork__kept kept = xenfork__keep(ctx);

        xenfork__thin_release(ctx, thin);
    }
    return rc;
}

/* Allow one writer, or several readers. */
static int check_use(xenfork_ctx *ctx, const struct xenfork__thin *thin,
                     const struct xenfork__dm_info *info, bool is_readonly)
{
    if (thin->is_base && !is_readonly)
        return xenfork__fail(ctx, XENFORK_E_DISK, 0,
                             "disk %s is a base, which nobody may write",
                             thin->path);
    if (!info->open_count || (is_readonly && info->is_readonly))
        return 0;
    xenfork__fail(ctx, XENFORK_E_INUSE, 0, "disk %s is in use", thin->path);
    return xenfork__remedy(ctx, "detach it from the domain that has it");
}

/* Check that a device of this name is not that of another folder's record. */
static int check_device_owner(xenfork_ctx *ctx,
                              const struct xenfork__thin *thin)
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
 * Refuse a file that is immutable without a record that tells why: it has a
 * name in another folder, by a hard link or a mount, and what was written to it
 * since is there.
 */
static int check_base(xenfork_ctx *ctx, const struct xenfork__thin *thin)
{
    struct xenfork__thin_users users;
    bool is_base;
    int rc;

    if (thin->is_descriptor || thin->is_on_device)
        return 0;
    if ((rc = xenfork__sys_file_is_protected(ctx, thin->origin, &is_base)) <
            0 ||
        !is_base ||
        (rc = xenfork__thin_users(ctx, thin->dir, thin->origin_is, &users)) <
            0 ||
        users.overlays || users.base || users.has_head || users.unreadable)
        return rc;
    xenfork__miss(ctx, XENFORK_E_DISK,
                  "%s is immutable, and no record in %s says why", thin->path,
                  thin->dir);
    return xenfork__remedy(
        ctx,
        "start the domain with the path with which it was forked; or, if you "
        "made the file immutable yourself: chattr -i");
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
        (info.is_there && (rc = check_device_owner(ctx, thin)) < 0) ||
        (!thin->has_id && (rc = check_base(ctx, thin)) < 0))
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

/*
 * Remove the device that was attached: it is not this disk's, whose path leads
 * elsewhere now.
 */
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
        /* An overlay that was moved into a file is detached by its old name. */
        xenfork__thin_name_overlay(path, device);
        return xenfork__sys_dm_remove(ctx, device);
    }
    if (rc < 0)
        return rc;
    rc = xenfork__thin_remove_device(ctx, thin);
    if (rc == 0 && thin->has_id)
        rc = xenfork__thin_sweep(ctx, thin);
    return rc;
}

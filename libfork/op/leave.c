/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Clones that have left this host, or were put into a file: what is recorded
 * is that it was begun, and counts once the clone has no domain here.
 */
#include "op/leave.h"

#include <inttypes.h>
#include <string.h>

#include "base/ids.h"
#include "disk/disk.h"
#include "host/dm.h"
#include "host/host.h"
#include "op/domain.h"
#include "op/named.h"
#include "op/recover.h"
#include "op/saved.h"
#include "state/journal.h"
#include "state/lock.h"
#include "state/restart.h"

/* Note it in the record, which others change, too; text "": it is here. */
static int set_left(xenfork_ctx *ctx, const uint8_t uuid[16], const char *text,
                    uint32_t pid)
{
    cleanup_lock struct xenfork__lock *lock = NULL;
    cleanup_record struct xenfork__record *record = NULL;
    char *left = strdup(text);
    int rc;

    if (!left)
        return xenfork__nomem(ctx);
    rc = xenfork__lock_take(ctx, XENFORK__LOCK_REGISTRY, true, &lock);
    if (rc == 0)
        rc = xenfork__record_load(ctx, XENFORK_KIND_CLONE, uuid, &record);
    if (rc < 0) {
        free(left);
        return rc;
    }
    free(record->left);
    record->left = left;
    snprintf(record->left_by, sizeof(record->left_by), "%s %u %" PRIu64,
             ctx->boot, pid, xenfork__sys_process_started(pid));
    return xenfork__record_save(ctx, record);
}

bool xenfork__is_leaving(const xenfork_ctx *ctx,
                         const struct xenfork__record *clone)
{
    char boot[XENFORK__UUID_CHARS];
    uint64_t started;
    uint32_t pid;

    return clone->left && clone->left[0] &&
           sscanf(clone->left_by, "%36s %" SCNu32 " %" SCNu64, boot, &pid,
                  &started) == 3 &&
           !strcmp(boot, ctx->boot) && started &&
           xenfork__sys_process_started(pid) == started;
}

bool xenfork__has_left(const struct xenfork__record *clone, uint32_t domid)
{
    return domid == XENFORK_DOMID_NONE && clone->left && clone->left[0];
}

int xenfork__leave_check_open(xenfork_ctx *ctx,
                              const struct xenfork__record *clone,
                              int (*remedy)(xenfork_ctx *ctx, const char *name))
{
    char writer[XENFORK__WRITER];
    uint32_t i;
    int rc;

    for (i = 0; i < clone->disk_count; i++) {
        const struct xenfork__record_disk *disk = &clone->disks[i];
        const char *file = strchr(disk->path, '/');

        if (!file || !xenfork__sys_writer(ctx, file, writer))
            continue;
        xenfork__fail(ctx, XENFORK_E_INUSE, 0,
                      "clone %s is stopped, but its disk %s (%s) is open for "
                      "writing by %s",
                      clone->name, disk->vdev, file, writer);
        if ((rc = remedy(ctx, clone->name)) < 0)
            return rc;
    }
    return 0;
}

/*
 * Tell whether the clone may be running on another host.  When a migration
 * fails after the other host was told to start the domain, xl leaves the one
 * that is here suspended, and renamed: migrate_domain() in xl_migrate.c, 4.17
 * to 4.22.
 */
int xenfork__may_be_away(xenfork_ctx *ctx, const struct xenfork__record *clone,
                         uint32_t domid, bool *may_be_out)
{
    cleanup_free char *name = NULL;
    struct xenfork__dominfo info;
    int rc;

    *may_be_out = clone->left && clone->left[0];
    if (!*may_be_out || domid == XENFORK_DOMID_NONE ||
        xenfork__is_leaving(ctx, clone))
        return 0;
    rc = xenfork__xen_info(ctx, domid, &info);
    if (rc == 0)
        rc = xenfork__xen_name(ctx, domid, &name);
    if (rc < 0)
        return rc == XENFORK_E_NOTFOUND ? 0 : rc;
    *may_be_out = (info.is_shutdown &&
                   info.shutdown_reason == XENFORK__SHUTDOWN_SUSPEND) ||
                  xenfork__is_named_away(name);
    return 0;
}

int xenfork__leave_check(xenfork_ctx *ctx, const struct xenfork__record *clone,
                         int (*remedy)(xenfork_ctx *ctx, const char *name))
{
    uint32_t domid = XENFORK_DOMID_NONE;
    bool may_be_away;
    int rc = xenfork__clone_domid(ctx, clone, &domid);

    if ((rc < 0 && rc != XENFORK_E_NOTFOUND) ||
        (rc = xenfork__may_be_away(ctx, clone, domid, &may_be_away)) < 0)
        return rc;
    if (may_be_away) {
        xenfork__fail(
            ctx, XENFORK_E_INUSE, 0,
            "clone %s %s %s: its disks may be in use there", clone->name,
            xenfork__is_leaving(ctx, clone) ? "is being" : "was", clone->left);
        if ((rc = remedy(ctx, clone->name)) < 0)
            return rc;
    }
    return domid == XENFORK_DOMID_NONE
               ? xenfork__leave_check_open(ctx, clone, remedy)
               : 0;
}

/*
 * Find the clone whose domain xl would take by this name or number.  NOTOURS,
 * not logged: it is no clone's
 */
static int find_by_domain(xenfork_ctx *ctx, const char *name, uint32_t domid,
                          struct xenfork__record **clone_out)
{
    cleanup_record struct xenfork__record *clone = NULL;
    struct xenfork__dominfo info;
    uint32_t own = XENFORK_DOMID_NONE;
    int rc;

    if ((rc = xenfork__xen_info(ctx, domid, &info)) < 0)
        return rc;
    rc = xenfork__record_load(ctx, XENFORK_KIND_CLONE, info.uuid, &clone);
    if (rc == 0)
        rc = xenfork__clone_domid(ctx, clone, &own);
    if (rc == XENFORK_E_NOTFOUND || rc == XENFORK_E_UUIDTAKEN ||
        (rc == 0 && own != domid))
        return xenfork__miss(ctx, XENFORK_E_NOTOURS, "%s is not a clone", name);
    if (rc == 0)
        *clone_out = steal_ptr(clone);
    return rc;
}

/*
 * Find the clone that leaves.  Another clone, which has no domain, may have the
 * name, too.
 */
static int find_leaving(xenfork_ctx *ctx, const char *name,
                        struct xenfork__record **clone_out)
{
    uint32_t domid;
    int rc = 0;

    if (!xenfork__domid_parse(name, &domid))
        rc = xenfork__xen_by_name(ctx, name, &domid);
    if (rc == 0)
        rc = find_by_domain(ctx, name, domid, clone_out);
    return rc == XENFORK_E_NOTFOUND
               ? xenfork__named(ctx, XENFORK_KIND_CLONE, name, clone_out)
               : rc;
}

XENFORK_API int xenfork_clone_leaves(xenfork_ctx *ctx, const char *name,
                                     const char *text, uint32_t pid)
{
    cleanup_record struct xenfork__record *clone = NULL;
    int rc;

    xenfork__begin(ctx, XENFORK_DOMID_NONE);
    if (!name || !text)
        return xenfork__fail(ctx, XENFORK_E_INVAL, 0, "no name or text");
    rc = find_leaving(ctx, name, &clone);
    if (rc < 0)
        return rc;
    /* Undone, its fork would remove the disks that it takes along. */
    return xenfork__journal_exists(ctx, clone->journal)
               ? xenfork__busy(ctx, name)
               : set_left(ctx, clone->uuid, text, pid);
}

/* Tell whether a base is needed; where that is not known, it is. */
static bool has_base(xenfork_ctx *ctx, const struct xenfork__record_disk *disk)
{
    const struct xenfork__disk_driver *driver = xenfork__disk_driver(
        disk->driver);
    cleanup_free char *parent = NULL;

    if (driver && driver->parent)
        return driver->parent(ctx, disk->path, &parent) < 0 || parent;
    return !driver || driver->detach;
}

/*
 * Refuse a clone with overlays: without the record their bases would be
 * removed.
 */
static int check_overlays(xenfork_ctx *ctx, const struct xenfork__record *clone)
{
    uint32_t i;

    for (i = 0; i < clone->disk_count; i++) {
        if (!has_base(ctx, &clone->disks[i]))
            continue;
        xenfork__fail(
            ctx, XENFORK_E_DISK, 0,
            "disk %s of %s is backed by a base, which would be removed with "
            "the record",
            clone->disks[i].vdev, clone->name);
        return xenfork__remedy(ctx,
                               "make it independent first: xl fork-detach "
                               "--wait %s",
                               clone->name);
    }
    return 0;
}

static int forget_clone(xenfork_ctx *ctx, const struct xenfork__record *found)
{
    cleanup_lock struct xenfork__lock *lock = NULL;
    cleanup_lock struct xenfork__lock *registry = NULL;
    cleanup_record struct xenfork__record *clone = NULL;
    uint32_t domid;
    int rc = xenfork__lock_domain(ctx, found->uuid, found->name, &lock);

    if (rc < 0 ||
        (rc = xenfork__lock_take(ctx, XENFORK__LOCK_REGISTRY, true,
                                 &registry)) < 0 ||
        (rc = xenfork__record_load(ctx, XENFORK_KIND_CLONE, found->uuid,
                                   &clone)) < 0)
        return rc;
    rc = xenfork__clone_domid(ctx, clone, &domid);
    if (rc == XENFORK_E_UUIDTAKEN)
        rc = XENFORK_E_NOTFOUND;
    if (rc == 0) {
        xenfork__fail(ctx, XENFORK_E_INUSE, 0,
                      "clone %s is here, as domain %u: it needs its record",
                      found->name, domid);
        return xenfork__remedy(ctx, "shut it down first");
    }
    if (rc != XENFORK_E_NOTFOUND || (rc = check_overlays(ctx, clone)) < 0 ||
        (rc = xenfork__restart_forget(ctx, clone->uuid)) < 0)
        return rc;
    return xenfork__record_remove(ctx, XENFORK_KIND_CLONE, clone->uuid);
}

XENFORK_API int xenfork_clone_forget(xenfork_ctx *ctx, const char *name)
{
    cleanup_record struct xenfork__record *clone = NULL;
    int rc;

    xenfork__begin(ctx, XENFORK_DOMID_NONE);
    if (!name)
        return xenfork__fail(ctx, XENFORK_E_INVAL, 0, "no name");
    if ((rc = xenfork__recover_others(ctx)) < 0 ||
        (rc = xenfork__named(ctx, XENFORK_KIND_CLONE, name, &clone)) < 0 ||
        (rc = forget_clone(ctx, clone)) < 0)
        return rc;
    return xenfork__images_sweep(ctx, clone->parent);
}

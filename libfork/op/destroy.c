/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Clones and images destroyed on request. */
#include "op/destroy.h"

#include <string.h>

#include "disk/base.h"
#include "disk/disk.h"
#include "op/claims.h"
#include "op/collapse.h"
#include "op/domain.h"
#include "op/hydrate.h"
#include "op/leave.h"
#include "op/named.h"
#include "op/recover.h"
#include "state/journal.h"
#include "state/lock.h"
#include "state/record.h"
#include "state/restart.h"

/* Find a record and take its lock. */
static int lock_record(xenfork_ctx *ctx, int kind, const char *name,
                       struct xenfork__record **record_out,
                       struct xenfork__lock **lock_out)
{
    cleanup_record struct xenfork__record *record = NULL;
    int rc = xenfork__named(ctx, kind, name, &record);

    if (rc < 0)
        return rc;
    ctx->domid = record->domid;
    rc = xenfork__lock_domain(ctx, record->uuid, name, lock_out);
    if (rc < 0)
        return rc;
    return xenfork__record_load(ctx, kind, record->uuid, record_out);
}

int xenfork__clone_remove(xenfork_ctx *ctx,
                          const struct xenfork__record *record)
{
    cleanup_lock struct xenfork__lock *lock = NULL;
    int rc;

    if ((rc = xenfork__disks_remove(ctx, record)) < 0)
        return rc;
    rc = xenfork__claims_release(ctx, record);
    if ((rc < 0 && rc != XENFORK_E_BUSY) ||
        /*
         * A process that hydrates it must not write the record again, either.
         */
        (rc = xenfork__lock_take(ctx, XENFORK__LOCK_REGISTRY, true, &lock)) < 0)
        return rc;
    return xenfork__record_remove(ctx, XENFORK_KIND_CLONE, record->uuid);
}

/*
 * Destroy first the domain, which is not to come back, then its disks, and last
 * the record that names them.
 */
static int destroy_clone(xenfork_ctx *ctx, const struct xenfork__record *record)
{
    uint32_t domid;
    int rc = xenfork__restart_forget(ctx, record->uuid);

    if (rc == 0)
        rc = xenfork__clone_domid(ctx, record, &domid);
    if (rc == 0)
        rc = xenfork__xen_destroy(ctx, domid);
    else if (rc == XENFORK_E_NOTFOUND)
        rc = 0;
    return rc < 0 ? rc : xenfork__clone_remove(ctx, record);
}

int xenfork__clones_removed(xenfork_ctx *ctx, const uint8_t image[16])
{
    int rc = xenfork__images_sweep(ctx, image);

    if (rc == 0)
        xenfork__collapse_begin(ctx);
    return rc;
}

static int advise_destroy(xenfork_ctx *ctx, const char *name)
{
    xenfork__remedy(ctx,
                    "xl fork-destroy --yes %s removes its disks all the same; "
                    "xl fork-forget %s leaves them",
                    name, name);
    return xenfork__question(ctx);
}

XENFORK_API int xenfork_clone_destroy(xenfork_ctx *ctx, const char *name,
                                      uint32_t flags)
{
    cleanup_record struct xenfork__record *record = NULL;
    int rc;

    xenfork__begin(ctx, XENFORK_DOMID_NONE);
    if (!name || (flags & ~XENFORK_DESTROY_LEFT))
        return xenfork__fail(ctx, XENFORK_E_INVAL, 0, "no name, or flags");
    rc = xenfork__recover_others(ctx);
    if (rc < 0)
        return rc;
    {
        cleanup_lock struct xenfork__lock *lock = NULL;

        if ((rc = lock_record(ctx, XENFORK_KIND_CLONE, name, &record, &lock)) <
                0 ||
            (!(flags & XENFORK_DESTROY_LEFT) &&
             (rc = xenfork__leave_check(ctx, record, advise_destroy)) < 0) ||
            (rc = xenfork__disks_check_places(ctx, record)) < 0 ||
            (rc = destroy_clone(ctx, record)) < 0)
            return rc;
    }
    return xenfork__clones_removed(ctx, record->parent);
}

static int check_users(xenfork_ctx *ctx, const struct xenfork__record *image)
{
    cleanup_records struct xenfork__records clones = {0};
    uint32_t live, dependent;
    int rc = xenfork__records_load(ctx, XENFORK_KIND_CLONE, &clones);

    if (rc < 0)
        return rc;
    rc = xenfork__image_users(ctx, image->uuid, &clones, &live, &dependent);
    if (rc < 0 || !dependent)
        return rc;
    xenfork__fail(ctx, XENFORK_E_INUSE, 0,
                  "image %s is in use: clones that depend on it: %u",
                  image->name, dependent);
    return xenfork__remedy(ctx, "hydrate them (xl fork-hydrate), or destroy "
                                "them");
}

/* Hydrate the clones of an image, while it can be forked. */
static int hydrate_users(xenfork_ctx *ctx, const char *name)
{
    cleanup_record struct xenfork__record *image = NULL;
    int rc = xenfork__named(ctx, XENFORK_KIND_IMAGE, name, &image);

    return rc < 0 ? rc : xenfork__hydrate_users(ctx, image);
}

XENFORK_API int xenfork_image_destroy(xenfork_ctx *ctx, const char *name)
{
    cleanup_record struct xenfork__record *image = NULL;
    cleanup_lock struct xenfork__lock *lock = NULL;
    int rc;

    xenfork__begin(ctx, XENFORK_DOMID_NONE);
    if (!name)
        return xenfork__fail(ctx, XENFORK_E_INVAL, 0, "no name");
    if ((rc = xenfork__recover_others(ctx)) < 0 ||
        (rc = hydrate_users(ctx, name)) < 0 ||
        (rc = lock_record(ctx, XENFORK_KIND_IMAGE, name, &image, &lock)) < 0 ||
        (rc = check_users(ctx, image)) < 0)
        return rc;
    rc = xenfork__image_remove(ctx, image);
    /* The next sweep forgets it, and has its source's reservation back. */
    if (rc == XENFORK_E_BUSY)
        rc = 0;
    return rc < 0 ? rc : xenfork__clones_removed(ctx, image->uuid);
}

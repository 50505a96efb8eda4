/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "op/frozen.h"

#include <string.h>

#include "op/domain.h"
#include "state/lock.h"

int xenfork__frozen_info(xenfork_ctx *ctx, const struct xenfork__record *frozen,
                         struct xenfork__dominfo *info_out)
{
    struct xenfork__dominfo info;
    int rc = xenfork__record_info(ctx, frozen, &info);

    if (rc < 0)
        return rc;
    if (!info.is_shutdown || info.shutdown_reason != XENFORK__SHUTDOWN_SUSPEND)
        return xenfork__miss(ctx, XENFORK_E_NOTFOUND, "%s is not frozen",
                             frozen->name);
    *info_out = info;
    return 0;
}

int xenfork__frozen_load(xenfork_ctx *ctx, const uint8_t uuid[16],
                         struct xenfork__record **record_out)
{
    cleanup_record struct xenfork__record *record = NULL;
    struct xenfork__dominfo info;
    int rc;

    if ((rc = xenfork__record_load(ctx, XENFORK_KIND_FROZEN, uuid, &record)) <
            0 ||
        (rc = xenfork__frozen_info(ctx, record, &info)) < 0)
        return rc;
    *record_out = steal_ptr(record);
    return 0;
}

bool xenfork__frozen_is_image(const struct xenfork__record *frozen,
                              const struct xenfork__record *image)
{
    return !strcmp(image->freeze, frozen->journal) &&
           !memcmp(image->parent, frozen->uuid, 16);
}

int xenfork__frozen_image(xenfork_ctx *ctx,
                          const struct xenfork__record *frozen,
                          struct xenfork__record **image_out)
{
    cleanup_records struct xenfork__records images = {0};
    int rc = xenfork__records_load(ctx, XENFORK_KIND_IMAGE, &images);
    struct xenfork__dominfo info;
    size_t i;

    if (rc < 0)
        return rc;
    for (i = 0; i < images.count; i++) {
        if (!xenfork__frozen_is_image(frozen, images.records[i]))
            continue;
        rc = xenfork__record_info(ctx, images.records[i], &info);
        if (rc == XENFORK_E_NOTFOUND)
            continue; /* destroyed behind our back */
        return rc < 0
                   ? rc
                   : xenfork__record_load(ctx, XENFORK_KIND_IMAGE,
                                          images.records[i]->uuid, image_out);
    }
    return xenfork__miss(ctx, XENFORK_E_NOTFOUND, "%s has no image",
                         frozen->name);
}

int xenfork__frozen_needs(xenfork_ctx *ctx, const struct xenfork__record *image,
                          bool *needs_out)
{
    cleanup_record struct xenfork__record *frozen = NULL;
    int rc;

    if (!image->freeze[0]) {
        *needs_out = false;
        return 0;
    }
    rc = xenfork__frozen_load(ctx, image->parent, &frozen);
    if (rc < 0 && rc != XENFORK_E_NOTFOUND)
        return rc;
    *needs_out = rc == 0 && xenfork__frozen_is_image(frozen, image);
    return 0;
}

/* Take the source's lock, which the process that freezes it holds. */
static int sweep_one(xenfork_ctx *ctx, const uint8_t uuid[16])
{
    cleanup_lock struct xenfork__lock *lock = NULL;
    cleanup_record struct xenfork__record *frozen = NULL;
    char name[XENFORK__UUID_CHARS];
    int rc;

    xenfork__uuid_print(uuid, name);
    rc = xenfork__lock_take(ctx, name, false, &lock);
    if (rc < 0)
        return rc == XENFORK_E_BUSY ? 0 : rc;
    rc = xenfork__frozen_load(ctx, uuid, &frozen);
    if (rc != XENFORK_E_NOTFOUND)
        return rc;
    return xenfork__record_remove(ctx, XENFORK_KIND_FROZEN, uuid);
}

int xenfork__frozen_sweep(xenfork_ctx *ctx)
{
    cleanup_records struct xenfork__records all = {0};
    int rc = xenfork__records_load(ctx, XENFORK_KIND_FROZEN, &all);
    struct xenfork__dominfo info;
    size_t i;

    for (i = 0; i < all.count; i++) {
        int r = xenfork__frozen_info(ctx, all.records[i], &info);

        if (r == XENFORK_E_NOTFOUND)
            r = sweep_one(ctx, all.records[i]->uuid);
        rc = rc < 0 ? rc : r;
    }
    return rc;
}

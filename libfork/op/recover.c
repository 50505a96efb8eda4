/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "op/recover.h"

#include <string.h>

#include "base/ids.h"
#include "disk/base.h"
#include "disk/disk.h"
#include "disk/thin/pool.h"
#include "op/claims.h"
#include "op/domain.h"
#include "op/frozen.h"
#include "state/files.h"
#include "state/journal.h"
#include "state/lock.h"

#define OTHERS_LEFT \
    "other forks have left something, which xl fork-list shows, ignoring"

int xenfork__image_remove(xenfork_ctx *ctx, const struct xenfork__record *image)
{
    cleanup_records struct xenfork__records clones = {0};
    struct xenfork__dominfo info;
    uint32_t live, dependent;
    int rc;

    if ((rc = xenfork__records_load(ctx, XENFORK_KIND_CLONE, &clones)) < 0 ||
        (rc = xenfork__image_users(ctx, image->uuid, &clones, &live,
                                   &dependent)) < 0)
        return rc;
    rc = xenfork__record_info(ctx, image, &info);
    if (rc == 0)
        rc = xenfork__xen_destroy(ctx, image->domid);
    else if (rc == XENFORK_E_NOTFOUND)
        rc = 0;
    if (rc < 0 || (rc = xenfork__disks_remove(ctx, image)) < 0)
        return rc;
    /* Hydrated clones go on sharing the source's pages. */
    if (!live && (rc = xenfork__claims_release(ctx, image)) < 0)
        return rc;
    return xenfork__record_remove(ctx, XENFORK_KIND_IMAGE, image->uuid);
}

/*
 * Sweep an image, under its lock and that of the fork that made it, if it
 * exists, is whole, and is not needed.
 */
static int sweep_image(xenfork_ctx *ctx, const uint8_t uuid[16])
{
    cleanup_records struct xenfork__records clones = {0};
    cleanup_record struct xenfork__record *image = NULL;
    uint32_t live, dependent;
    bool is_needed;
    int rc;

    rc = xenfork__record_load(ctx, XENFORK_KIND_IMAGE, uuid, &image);
    if (rc < 0)
        return rc == XENFORK_E_NOTFOUND ? 0 : rc;
    if (image->is_kept || xenfork__journal_exists(ctx, image->journal))
        return 0;
    rc = xenfork__frozen_needs(ctx, image, &is_needed);
    if (rc < 0 || is_needed)
        return rc;
    if ((rc = xenfork__records_load(ctx, XENFORK_KIND_CLONE, &clones)) < 0 ||
        (rc = xenfork__image_users(ctx, uuid, &clones, &live, &dependent)) < 0)
        return rc;
    return live ? 0 : xenfork__image_remove(ctx, image);
}

/*
 * Try to sweep an image: under its lock and that of the fork that made it, if
 * both are free.
 */
static int try_image(xenfork_ctx *ctx, const struct xenfork__record *image)
{
    cleanup_lock struct xenfork__lock *journal = NULL;
    cleanup_lock struct xenfork__lock *lock = NULL;
    char uuid[XENFORK__UUID_CHARS];
    int rc;

    xenfork__uuid_print(image->uuid, uuid);
    /* The fork that makes it holds its journal's lock, not the image's. */
    rc = xenfork__lock_take(ctx, image->journal, false, &journal);
    if (rc == 0)
        rc = xenfork__lock_take(ctx, uuid, false, &lock);
    if (rc == 0)
        rc = sweep_image(ctx, image->uuid);
    return rc == XENFORK_E_BUSY ? 0 : rc;
}

/* Tell whether it is this image, or one of this source.  NULL: always. */
static bool is_wanted_image(const struct xenfork__record *image,
                            const uint8_t *own)
{
    return !own || !memcmp(image->uuid, own, 16) ||
           !memcmp(image->parent, own, 16);
}

/* Sweep images; a failure with one does not stop the others. */
static int sweep_images(xenfork_ctx *ctx, const uint8_t *own)
{
    cleanup_records struct xenfork__records images = {0};
    int rc = xenfork__records_load(ctx, XENFORK_KIND_IMAGE, &images), r;
    keep_error struct xenfork__kept kept = xenfork__keep(ctx);
    bool is_left = false;
    size_t i;

    if (rc < 0)
        return rc;
    for (i = 0; i < images.count; i++) {
        r = try_image(ctx, images.records[i]);
        is_left |= r < 0;
        if (r < 0 && rc == 0 && is_wanted_image(images.records[i], own)) {
            rc = r;
            kept.error = ctx->error;
        }
    }
    r = xenfork__base_sweep(ctx);
    if (r == 0)
        r = xenfork__claims_sweep(ctx);
    is_left |= r < 0;
    if (rc == 0 && is_left && own)
        LOG_WARN(ctx, OTHERS_LEFT);
    if (rc == 0 && !own) {
        kept.error = ctx->error;
        return r;
    }
    return rc;
}

int xenfork__images_sweep(xenfork_ctx *ctx, const uint8_t *own)
{
    if (!own || !ctx->is_batch)
        return sweep_images(ctx, own);
    ctx->is_sweep_due = true;
    return 0;
}

int xenfork__clone_release(xenfork_ctx *ctx,
                           const struct xenfork__record *clone)
{
    struct xenfork__dominfo info;
    int rc = xenfork__record_info(ctx, clone, &info);

    if (rc != XENFORK_E_NOTFOUND)
        return rc;
    if (xenfork__disks_release(ctx, clone) < 0)
        LOG_WARN(
            ctx,
            "cannot end the processes that served the disks of %s, ignoring",
            clone->name);
    return 0;
}

/* Release clones that have ended; they keep their records and disks. */
static int clones_release(xenfork_ctx *ctx)
{
    cleanup_records struct xenfork__records clones = {0};
    int rc = xenfork__records_load(ctx, XENFORK_KIND_CLONE, &clones);
    size_t i;

    for (i = 0; i < clones.count; i++) {
        int r = xenfork__journal_exists(ctx, clones.records[i]->journal)
                    ? 0
                    : xenfork__clone_release(ctx, clones.records[i]);

        rc = rc < 0 ? rc : r;
    }
    return rc;
}

static int sweep_all(xenfork_ctx *ctx)
{
    return xenfork__images_sweep(ctx, NULL);
}

/* A search of a journal for the image, clone or frozen source with a UUID. */
struct mention {
    const char *uuid;
    bool is_found;
};

static int look_for(xenfork_ctx *ctx, const struct xenfork__keyfile *keyfile,
                    void *opaque)
{
    static const char *const keys[] = {"source", "image", "start", "reset"};
    struct mention *mention = opaque;
    const char *text;
    uint32_t i;

    (void)ctx;
    for (i = 0; i < ARRAY_SIZE(keys); i++)
        if ((text = xenfork__keyfile_get(keyfile, keys[i])))
            mention->is_found |= !strcmp(text, mention->uuid);
    for (i = 0; (text = xenfork__keyfile_get_nth(keyfile, "clone", i)); i++)
        mention->is_found |= !strcmp(text, mention->uuid);
    return 0;
}

/*
 * Sweep a folder without a record: its writer has a journal, or its remover was
 * killed.  This is done under the registry's lock, under which UUIDs are
 * chosen.
 */
static int sweep_folder(xenfork_ctx *ctx, int kind, const uint8_t uuid[16])
{
    cleanup_lock struct xenfork__lock *lock = NULL;
    cleanup_free char *keyfile = xenfork__record_path(ctx, kind, uuid,
                                                      XENFORK__FILE_RECORD);
    char text[XENFORK__UUID_CHARS];
    struct mention mention = {.uuid = text};
    int rc;

    if (!keyfile)
        return xenfork__nomem(ctx);
    if (access(keyfile, F_OK) == 0)
        return 0;
    xenfork__uuid_print(uuid, text);
    if ((rc = xenfork__lock_take(ctx, XENFORK__LOCK_REGISTRY, true, &lock)) <
            0 ||
        (rc = xenfork__journals_each(ctx, look_for, &mention)) < 0)
        return rc;
    return mention.is_found || access(keyfile, F_OK) == 0
               ? 0
               : xenfork__record_remove(ctx, kind, uuid);
}

static int sweep_folders_of(xenfork_ctx *ctx, int kind)
{
    char **names;
    size_t count, i;
    uint8_t uuid[16];
    int rc = xenfork__record_names(ctx, kind, &names, &count);

    if (rc < 0)
        return rc;
    for (i = 0; i < count; i++) {
        int r = xenfork__uuid_parse(names[i], uuid)
                    ? sweep_folder(ctx, kind, uuid)
                    : 0;

        rc = rc < 0 ? rc : r;
    }
    xenfork__names_free(names, count);
    return rc;
}

static int folders_sweep(xenfork_ctx *ctx)
{
    static const int kinds[] = {XENFORK_KIND_IMAGE, XENFORK_KIND_CLONE,
                                XENFORK_KIND_FROZEN};
    size_t i;
    int rc = 0;

    for (i = 0; i < ARRAY_SIZE(kinds); i++) {
        int r = sweep_folders_of(ctx, kinds[i]);

        rc = rc < 0 ? rc : r;
    }
    return rc;
}

/*
 * Recover everything; each step does what it can, even if another has failed.
 */
int xenfork__recover(xenfork_ctx *ctx)
{
    static int (*const steps[])(xenfork_ctx *) = {
        xenfork__journals_recover,
        xenfork__frozen_sweep,
        clones_release,
        sweep_all,
        folders_sweep,
        xenfork__base_sweep_unfinished,
        xenfork__locks_sweep,
    };
    keep_error struct xenfork__kept kept = xenfork__keep(ctx);
    size_t i;
    int rc = 0, r;

    xenfork__pools_watch(ctx);
    for (i = 0; i < ARRAY_SIZE(steps); i++) {
        r = steps[i](ctx);
        if (r < 0 && rc == 0) {
            rc = r;
            kept.error = ctx->error;
        }
        if (r == XENFORK_E_NOMEM || r == XENFORK_E_CANCELLED)
            break;
    }
    return rc;
}

int xenfork__recover_others(xenfork_ctx *ctx)
{
    keep_error struct xenfork__kept kept = xenfork__keep(ctx);
    int rc;

    if (ctx->is_batch && ctx->has_recovered)
        return 0;
    rc = xenfork__recover(ctx);
    ctx->has_recovered = rc != XENFORK_E_NOMEM && rc != XENFORK_E_CANCELLED;
    if (rc == 0 || !ctx->has_recovered) {
        kept.error = ctx->error;
        return rc;
    }
    LOG_WARN(ctx, OTHERS_LEFT);
    return 0;
}

XENFORK_API int xenfork_recover(xenfork_ctx *ctx)
{
    xenfork__begin(ctx, XENFORK_DOMID_NONE);
    return xenfork__recover(ctx);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Freezing a source, and thawing it. */
#include "op/frozen.h"

#include <string.h>
#include <time.h>

#include "base/spec.h"
#include "disk/disk.h"
#include "host/host.h"
#include "op/check.h"
#include "op/collapse.h"
#include "op/guest.h"
#include "op/recover.h"
#include "op/saved.h"
#include "op/source.h"

static int check_timeout(xenfork_ctx *ctx, uint32_t timeout_ms)
{
    if (timeout_ms >= 1 && timeout_ms <= XENFORK__MAX_TIMEOUT_MS)
        return 0;
    return xenfork__fail(ctx, XENFORK_E_INVAL, 0,
                         "a timeout of %u ms is not between 1 and %u",
                         timeout_ms, XENFORK__MAX_TIMEOUT_MS);
}

static int refuse_image(xenfork_ctx *ctx, const struct xenfork__dominfo *info)
{
    cleanup_record struct xenfork__record *image = NULL;
    int rc = xenfork__record_load(ctx, XENFORK_KIND_IMAGE, info->uuid, &image);

    if (rc == XENFORK_E_NOTFOUND)
        return 0;
    if (rc < 0)
        return rc;
    return xenfork__fail(ctx, XENFORK_E_INVAL, 0,
                         "%s is an image, which never runs", image->name);
}

/* Check for the same reasons as before a fork, without those about clones. */
static int check_freeze(xenfork_ctx *ctx, const struct xenfork__dominfo *info,
                        const struct xenfork__config *config)
{
    xenfork_check *check;
    int rc = xenfork__check_source(ctx, info, config, NULL, true, &check);

    if (rc < 0)
        return rc;
    rc = xenfork__check_fail(ctx, check);
    xenfork_check_free(check);
    return rc;
}

static int save_frozen(xenfork_ctx *ctx, const struct xenfork__dominfo *info,
                       const char *name, const char *journal)
{
    struct xenfork__record record = {
        .kind = XENFORK_KIND_FROZEN,
        .created_s = (uint64_t)time(NULL),
        .pages = info->private_pages + info->shared_pages,
    };
    char none[] = "";
    cleanup_free char *own = strdup(name);

    if (!own)
        return xenfork__nomem(ctx);
    xenfork__record_set_domid(ctx, &record, info->domid);
    memcpy(record.uuid, info->uuid, 16);
    record.name = own;
    record.parent_name = none; /* no image yet */
    strcpy(record.journal, journal);
    return xenfork__record_save(ctx, &record);
}

static int make_image(xenfork_ctx *ctx, const struct xenfork__dominfo *info,
                      const char *name, uint32_t timeout_ms)
{
    cleanup_close int keeper_fd = -1;
    struct xenfork__journal *journal;
    uint64_t asked_ns;
    int rc = xenfork__journal_begin(ctx, &journal);

    if (rc < 0)
        return rc;
    if ((rc = xenfork__journal_source(ctx, journal, info->uuid, info->domid,
                                      info->is_paused)) < 0 ||
        (rc = xenfork__sys_keeper(ctx, xenfork__journal_id(journal),
                                  &keeper_fd)) < 0 ||
        (rc = xenfork__guest_source(ctx, journal, info->domid)) < 0 ||
        (rc = xenfork__enter(ctx, XENFORK_STAGE_SUSPEND, XENFORK_ALL, 0)) < 0 ||
        (rc = xenfork__source_suspend(ctx, journal, info, XENFORK_QUIESCE_AUTO,
                                      timeout_ms, &asked_ns)) < 0 ||
        (rc = xenfork__journal_freezing(ctx, journal)) < 0 ||
        (rc = save_frozen(ctx, info, name, xenfork__journal_id(journal))) < 0 ||
        (rc = xenfork__source_commit(ctx, journal, keeper_fd)) < 0)
        return xenfork__source_undo(ctx, journal, rc);
    return 0;
}

static int freeze(xenfork_ctx *ctx, struct xenfork__dominfo *info,
                  uint32_t timeout_ms)
{
    cleanup_lock struct xenfork__lock *lock = NULL;
    cleanup_record struct xenfork__record *frozen = NULL;
    struct xenfork__config *config;
    int rc;

    if ((rc = xenfork__source_lock(ctx, info, &lock)) < 0)
        return rc;
    rc = xenfork__frozen_load(ctx, info->uuid, &frozen);
    if (rc != XENFORK_E_NOTFOUND)
        return rc;
    if ((rc = refuse_image(ctx, info)) < 0 ||
        (rc = xenfork__xen_config_get(ctx, info->domid, &config)) < 0)
        return rc;
    if ((rc = check_freeze(ctx, info, config)) == 0)
        rc = make_image(ctx, info, config->name, timeout_ms);
    xenfork__config_free(config);
    if (rc == 0 &&
        xenfork__xen_guest_role(ctx, info->domid, XENFORK__ROLE_FROZEN) < 0)
        LOG_WARN(ctx, "domain %u does not show that it is frozen, ignoring",
                 info->domid);
    return rc;
}

XENFORK_API int xenfork_freeze(xenfork_ctx *ctx, uint32_t domid,
                               uint32_t timeout_ms)
{
    struct xenfork__dominfo info;
    int rc;

    xenfork__begin(ctx, domid);
    ctx->stage = XENFORK_STAGE_CHECK;
    if ((rc = check_timeout(ctx, timeout_ms)) < 0)
        return rc;
    if (domid == 0)
        return xenfork__fail(ctx, XENFORK_E_INVAL, 0,
                             "domain 0 cannot be frozen");
    if ((rc = xenfork__recover_others(ctx)) < 0 ||
        (rc = xenfork__xen_info(ctx, domid, &info)) < 0)
        return rc;
    rc = freeze(ctx, &info, timeout_ms);
    if (rc < 0) {
        keep_error struct xenfork__kept kept = xenfork__keep(ctx);

        /* Texts are for the administrator: they name paths and domains. */
        xenfork__xen_guest_answer(ctx, domid, xenfork_code_name(rc));
    }
    return rc;
}

/* Check that the source has no disk that it must not write any more. */
static int check_thaw_disks(xenfork_ctx *ctx, uint32_t domid)
{
    struct xenfork__config *config;
    int rc = xenfork__xen_config_get(ctx, domid, &config);

    if (rc < 0)
        return rc;
    rc = xenfork__disks_thaw(ctx, config);
    xenfork__config_free(config);
    return rc;
}

/*
 * Thaw a source.  The guest reads the outcome when it runs on: so that is
 * written before.  A thaw that fails, or is killed, half-way is repeated.
 */
static int thaw_source(xenfork_ctx *ctx, struct xenfork__dominfo *info)
{
    cleanup_lock struct xenfork__lock *lock = NULL;
    cleanup_record struct xenfork__record *frozen = NULL;
    int rc;

    if ((rc = xenfork__source_lock(ctx, info, &lock)) < 0)
        return rc;
    rc = xenfork__frozen_load(ctx, info->uuid, &frozen);
    if (rc == XENFORK_E_NOTFOUND) {
        xenfork__fail(ctx, XENFORK_E_NOTFROZEN, 0, "domain %u is not frozen",
                      info->domid);
        return xenfork__remedy(ctx, "xl fork-list shows frozen sources");
    }
    if (rc < 0 || (rc = xenfork__saved_refuse(ctx, info->domid)) < 0 ||
        (rc = check_thaw_disks(ctx, info->domid)) < 0 ||
        (rc = xenfork__xen_guest_role(ctx, info->domid, XENFORK__ROLE_SOURCE)) <
            0 ||
        (rc = xenfork__xen_guest_answer(ctx, info->domid, NULL)) < 0)
        return rc;
    xenfork__enter_firm(ctx, XENFORK_STAGE_RESUME, XENFORK_ALL);
    rc = xenfork__xen_resume(ctx, info->domid);
    if (rc < 0)
        return rc;
    return xenfork__record_remove(ctx, XENFORK_KIND_FROZEN, info->uuid);
}

int xenfork__thaw(xenfork_ctx *ctx, uint32_t domid)
{
    struct xenfork__dominfo info;
    int rc;

    ctx->domid = domid;
    ctx->stage = XENFORK_STAGE_CHECK;
    if ((rc = xenfork__recover_others(ctx)) < 0 ||
        (rc = xenfork__xen_info(ctx, domid, &info)) < 0 ||
        (rc = thaw_source(ctx, &info)) < 0 ||
        (rc = xenfork__images_sweep(ctx, info.uuid)) < 0)
        return rc;
    /* Its disks backed the image of the frozen source till now. */
    xenfork__collapse_begin(ctx);
    return 0;
}

XENFORK_API int xenfork_thaw(xenfork_ctx *ctx, uint32_t domid)
{
    xenfork__begin(ctx, domid);
    return xenfork__thaw(ctx, domid);
}

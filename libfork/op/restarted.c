/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "op/restarted.h"

#include <string.h>

#include "op/domain.h"
#include "op/guest.h"
#include "op/saved-config.h"
#include "state/lock.h"
#include "state/restart.h"

static int note_here(xenfork_ctx *ctx, const uint8_t clone[16])
{
    cleanup_lock struct xenfork__lock *lock = NULL;
    cleanup_record struct xenfork__record *record = NULL;
    int rc;

    if ((rc = xenfork__lock_take(ctx, XENFORK__LOCK_REGISTRY, true, &lock)) <
            0 ||
        (rc = xenfork__record_load(ctx, XENFORK_KIND_CLONE, clone, &record)) <
            0 ||
        !record->left || !record->left[0])
        return rc;
    free(record->left);
    record->left = NULL;
    return xenfork__record_save(ctx, record);
}

void xenfork__restarted_here(xenfork_ctx *ctx, const uint8_t clone[16])
{
    keep_error struct xenfork__kept kept = xenfork__keep(ctx);

    if (note_here(ctx, clone) < 0)
        LOG_WARN(ctx, "the clone still counts as one that has left, ignoring");
}

void xenfork__restarted_done(xenfork_ctx *ctx, const uint8_t clone[16])
{
    keep_error struct xenfork__kept kept = xenfork__keep(ctx);

    if (xenfork__restart_forget(ctx, clone) < 0)
        LOG_WARN(ctx, "a restart of the clone stays with xenforkd, ignoring");
}

int xenfork__restarted_begin(xenfork_ctx *ctx, const uint8_t clone[16],
                             uint32_t domid, const char *json,
                             const char *journal)
{
    cleanup_lock struct xenfork__lock *lock = NULL;
    cleanup_record struct xenfork__record *record = NULL;
    uint32_t now;
    int rc;

    if ((rc = xenfork__lock_take(ctx, XENFORK__LOCK_REGISTRY, true, &lock)) < 0)
        return rc;
    rc = xenfork__record_load(ctx, XENFORK_KIND_CLONE, clone, &record);
    if (rc == XENFORK_E_NOTFOUND)
        return 0;
    if (rc < 0)
        return rc;
    /* Another machine that has its UUID starts again: none of ours. */
    rc = xenfork__clone_domid(ctx, record, &now);
    if (rc == XENFORK_E_UUIDTAKEN)
        return 0;
    if (rc < 0)
        return rc;
    if (json && (rc = xenfork__saved_config_write(ctx, clone, json)) < 0)
        return rc;
    rc = record->generation[0] ? xenfork__guest_again(ctx, domid, record)
                               : XENFORK_E_NOTFOUND;
    if (rc < 0 && rc != XENFORK_E_NOTFOUND)
        return rc;
    if (rc == 0)
        record->is_ready = record->is_reseeded = false; /* of this start */
    xenfork__record_set_domid(ctx, record, domid);
    if (!journal) {
        free(record->left); /* it is here */
        record->left = NULL;
    }
    record->hydrated = 100;
    record->source_count = 0; /* it shares nothing */
    memset(record->parent, 0, sizeof(record->parent));
    if (journal)
        snprintf(record->journal, sizeof(record->journal), "%s", journal);
    return xenfork__record_save(ctx, record);
}

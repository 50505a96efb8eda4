/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "op/attend.h"

#include <string.h>
#include <time.h>

#include "base/ids.h"
#include "op/frozen.h"
#include "state/lock.h"

#define BUSY_POLL_MS 200L

/*
 * Attend to a request.  The domain can be saved or migrated as it is; to shut
 * down it has to run.  False: it runs, or nothing can be done for it.
 */
static bool attend_now(xenfork_ctx *ctx, uint32_t domid)
{
    bool wants_to_run = false;
    int rc;

    if (xenfork__xen_frozen_request(ctx, domid, &wants_to_run) < 0)
        return false;
    if (!wants_to_run)
        return true;
    /* A fork of it that runs now comes to its end first. */
    while ((rc = xenfork__thaw(ctx, domid)) == XENFORK_E_BUSY)
        xenfork__sleep_ns(BUSY_POLL_MS * 1000000ULL);
    return rc < 0 && rc != XENFORK_E_NOTFROZEN && rc != XENFORK_E_NOTFOUND;
}

/* Attend once; tell whether the source is still frozen. */
static bool attend_once(xenfork_ctx *ctx, const char *journal)
{
    cleanup_records struct xenfork__records frozen = {0};
    size_t i;

    if (xenfork__records_load(ctx, XENFORK_KIND_FROZEN, &frozen) < 0)
        return false;
    for (i = 0; i < frozen.count; i++) {
        const struct xenfork__record *source = frozen.records[i];
        struct xenfork__dominfo info;

        if (strcmp(source->journal, journal))
            continue;
        return xenfork__xen_watch_frozen(ctx, source->domid) == 0 &&
               xenfork__frozen_info(ctx, source, &info) == 0 &&
               attend_now(ctx, source->domid);
    }
    return false;
}

int xenfork__attend(xenfork_ctx *ctx, const char *journal, bool is_waiting)
{
    cleanup_lock struct xenfork__lock *lock = NULL;
    char name[sizeof("attend-") + XENFORK__UUID_CHARS];
    uint32_t domid;
    int rc;

    snprintf(name, sizeof(name), "attend-%s", journal);
    rc = xenfork__lock_take(ctx, name, is_waiting, &lock);
    while (rc == 0 && attend_once(ctx, journal))
        rc = xenfork__xen_wait_event(ctx, -1, -1, &domid);
    return rc;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "worker-main.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>

#include "base/ids.h"
#include "ephemeral.h"
#include "log.h"
#include "op/attend.h"
#include "op/collapse.h"
#include "op/domain.h"
#include "op/hydrate.h"
#include "op/ready.h"
#include "policy.h"
#include "restart.h"
#include "state/journal.h"
#include "state/lock.h"
#include "state/record.h"
#include "worker-pool.h"
#include "xen/events.h"

#define BUSY_PAUSE_MS 100U
#define PAGES_PER_MIB 256U

/*
 * Wait for a fork: a guest that is being forked is frozen after that, and not
 * told that it cannot be.  If another operation is faster then, the guest is
 * told so.
 */
static void wait_for_fork(xenfork_ctx *ctx, uint32_t domid, uint32_t timeout_ms)
{
    uint64_t end_ns = xenfork__now_ns() + timeout_ms * 1000000ULL;
    struct xenfork__dominfo info;
    char uuid[XENFORK__UUID_CHARS];

    if (xenfork__xen_info(ctx, domid, &info) < 0)
        return;
    xenfork__uuid_print(info.uuid, uuid);
    while (!xenfork__xen_has_ended(ctx, domid) && xenfork__now_ns() < end_ns) {
        cleanup_lock struct xenfork__lock *lock = NULL;

        if (xenfork__lock_take(ctx, uuid, false, &lock) != XENFORK_E_BUSY)
            return;
        xenfork__sleep_ns(BUSY_PAUSE_MS * 1000000ULL);
    }
}

static int work_freeze(xenfork_ctx *ctx, uint32_t domid, uint32_t timeout_ms)
{
    uint64_t start_ns = xenfork__now_ns();
    char quoted[LOG_QUOTED];
    char text[XENFORK__TEXT_BYTES];
    int rc = xenfork__host_forget_error(ctx, domid);

    if (rc == 0) {
        wait_for_fork(ctx, domid, timeout_ms);
        rc = xenfork_freeze(ctx, domid, timeout_ms);
    }
    if (rc == 0) {
        log_info(
            "freeze", "domid=%u result=ok ms=%llu", domid,
            (unsigned long long)((xenfork__now_ns() - start_ns) / 1000000U));
        return 0;
    }
    snprintf(text, sizeof(text), "%s", xenfork_error_text(ctx));
    log_warning("freeze", "domid=%u result=failed code=%s reason=%s", domid,
                xenfork_code_name(rc), log_quote(text, strlen(text), quoted));
    /*
     * The library has not told the guest of a failure before the freeze began.
     */
    xenfork__xen_guest_answer(ctx, domid, xenfork_code_name(rc));
    return rc;
}

static int hydrate_one(xenfork_ctx *ctx, struct xenfork__record *clone,
                       uint32_t pages_per_second)
{
    struct xenfork__dominfo info;
    int rc = xenfork__record_info(ctx, clone, &info);

    if (rc == 0)
        rc = xenfork__hydrate(ctx, clone, pages_per_second);
    if (rc == 0)
        log_info("hydrate", "domid=%u result=ok", clone->domid);
    /* Destroyed, before or meanwhile. */
    if (rc < 0 && xenfork__record_info(ctx, clone, &info) == XENFORK_E_NOTFOUND)
        return 0;
    return rc;
}

/* Hydrate a fork; wait until its keeper has done it, or is gone. */
static int work_hydrate(xenfork_ctx *ctx, const char *journal,
                        uint32_t pages_per_second)
{
    cleanup_records struct xenfork__records clones = {0};
    cleanup_lock struct xenfork__lock *lock = NULL;
    size_t i;
    int rc, r;

    if ((rc = xenfork__hydrate_lock(ctx, journal, true, &lock)) < 0)
        return rc;
    /* Neither committed nor undone yet: later. */
    if (xenfork__journal_exists(ctx, journal))
        return XENFORK_E_BUSY;
    if ((rc = xenfork__records_load(ctx, XENFORK_KIND_CLONE, &clones)) < 0)
        return rc;
    for (i = 0; i < clones.count; i++) {
        struct xenfork__record *clone = clones.records[i];

        if (strcmp(clone->journal, journal) || !xenfork__wants_hydration(clone))
            continue;
        r = hydrate_one(ctx, clone, pages_per_second);
        rc = rc < 0 ? rc : r;
    }
    return rc;
}

/*
 * Attend to a frozen source; wait until its keeper has done it, or is gone. The
 * next daemon starts a worker of its own for it: this one ends with its daemon.
 */
static int work_attend(xenfork_ctx *ctx, const char *journal)
{
    if (prctl(PR_SET_PDEATHSIG, SIGTERM) < 0)
        return xenfork__fail(ctx, XENFORK_E_IO, errno,
                             "cannot make this process end with the daemon");
    return xenfork__attend(ctx, journal, true);
}

static int work_ack(xenfork_ctx *ctx, uint32_t domid)
{
    int rc = xenfork__ready_accept(ctx, domid);

    if (rc == 0)
        log_info("ack", "domid=%u result=ok", domid);
    return rc;
}

static int work_on_domain(xenfork_ctx *ctx, int kind, uint32_t domid,
                          uint32_t value)
{
    switch (kind) {
    case WORKER_FREEZE:
        return work_freeze(ctx, domid, value * 1000U);
    case WORKER_POLICY:
        return policy_apply(ctx, domid);
    case WORKER_REMOVE:
        return ephemeral_remove(ctx, domid, "");
    default:
        return work_ack(ctx, domid);
    }
}

static int work_on_record(xenfork_ctx *ctx, int kind, const char *uuid,
                          uint32_t value)
{
    switch (kind) {
    case WORKER_RESTART:
        return restart_resume(ctx, uuid);
    case WORKER_HYDRATE:
        return work_hydrate(ctx, uuid, value * PAGES_PER_MIB);
    default:
        return work_attend(ctx, uuid);
    }
}

int work(xenfork_ctx *ctx, int kind, const char *target, uint32_t value)
{
    uint32_t domid = 0;
    uint8_t uuid[16];
    int rc;

    switch (kind) {
    case WORKER_FREEZE:
    case WORKER_POLICY:
    case WORKER_ACK:
    case WORKER_REMOVE:
        if (!xenfork__domid_parse(target, &domid) || !domid)
            return 2;
        rc = work_on_domain(ctx, kind, domid, value);
        break;
    case WORKER_RESTART:
    case WORKER_HYDRATE:
    case WORKER_ATTEND:
        if (!xenfork__uuid_parse(target, uuid))
            return 2;
        rc = work_on_record(ctx, kind, target, value);
        break;
    default:
        /* Shorten the chains of forks whose keepers have handed over to us. */
        if ((rc = xenfork_recover(ctx)) == 0)
            xenfork__collapse_begin(ctx);
    }
    if (rc == XENFORK_E_BUSY &&
        (kind == WORKER_POLICY || kind == WORKER_RESTART ||
         kind == WORKER_REMOVE))
        return WORK_BUSY;
    return rc < 0;
}

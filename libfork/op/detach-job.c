/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The state of a detach: how far it is, its pace, and whether it is to stop. */
#include "op/detach.h"

#include <string.h>
#include <unistd.h>

#include "op/domain.h"
#include "op/leave.h"
#include "state/lock.h"
#include "state/restart.h"
#include "xen/xen.h"

int xenfork__detach_save(xenfork_ctx *ctx, struct xenfork__detaching *job,
                         uint32_t percent)
{
    cleanup_lock struct xenfork__lock *lock = NULL;
    cleanup_record struct xenfork__record *now = NULL;
    int rc = xenfork__detach_load(ctx, job, &lock, &now);

    if (rc < 0)
        return rc;
    now->detached = job->clone->detached = percent;
    if (percent == 100)
        now->hydrated = 100;
    return xenfork__record_save(ctx, now);
}

/* Hold the job to its speed; it is stopped and cancelled meanwhile, too. */
static int pace_copy(xenfork_ctx *ctx, const struct xenfork__detaching *job)
{
    uint64_t due_ns, speed = xenfork__detach_speed(job);
    int rc = 0;

    if (!speed)
        return 0;
    due_ns = job->start_ns +
             (uint64_t)((double)job->moved_bytes / (double)speed * 1e9);
    while (rc == 0 && xenfork__sleep_towards(due_ns))
        rc = xenfork__detach_wait(ctx, job);
    return rc;
}

uint64_t xenfork__detach_speed(const struct xenfork__detaching *job)
{
    return job->kib_per_second * 1024;
}

int xenfork__detach_load(xenfork_ctx *ctx, const struct xenfork__detaching *job,
                         struct xenfork__lock **lock_out,
                         struct xenfork__record **now_out)
{
    int rc = xenfork__lock_take(ctx, XENFORK__LOCK_REGISTRY, true, lock_out);

    return rc < 0 ? rc
                  : xenfork__record_load(ctx, XENFORK_KIND_CLONE,
                                         job->clone->uuid, now_out);
}

int xenfork__detach_wait(xenfork_ctx *ctx, const struct xenfork__detaching *job)
{
    int rc = xenfork__enter(ctx, XENFORK_STAGE_DETACH, 0, 0);

    if (rc < 0)
        return rc;
    if (access(job->stop_path, F_OK) == 0)
        return xenfork__fail(ctx, XENFORK_E_CANCELLED, 0,
                             "detaching %s has been stopped", job->clone->name);
    return 0;
}

static int leaves(xenfork_ctx *ctx, const struct xenfork__record *clone)
{
    xenfork__fail(ctx, XENFORK_E_INUSE, 0,
                  "clone %s was %s, with the paths that its disks have now",
                  clone->name, clone->left);
    return xenfork__remedy(ctx, "detach it when it runs here again");
}

/*
 * Check that the clone is not leaving: a clone that leaves has that recorded
 * before.  A note that was there when we began is old, as of xl save -c, if its
 * process has ended, and the domain is still there and runs.
 */
static int check_note(xenfork_ctx *ctx, const struct xenfork__detaching *job,
                      uint32_t domid)
{
    cleanup_lock struct xenfork__lock *lock = NULL;
    cleanup_record struct xenfork__record *now = NULL;
    const char *before = job->clone->left ? job->clone->left : "";
    struct xenfork__dominfo info = {.is_shutdown = true};
    int rc = xenfork__detach_load(ctx, job, &lock, &now);

    if (rc < 0 || !now->left || !now->left[0])
        return rc;
    if (domid != XENFORK_DOMID_NONE) {
        rc = xenfork__xen_info(ctx, domid, &info);
        if (rc < 0 && rc != XENFORK_E_NOTFOUND)
            return rc;
    }
    return info.is_shutdown || xenfork__is_leaving(ctx, now) ||
                   strcmp(now->left, before) ||
                   strcmp(now->left_by, job->clone->left_by)
               ? leaves(ctx, now)
               : 0;
}

static int say_again(xenfork_ctx *ctx, const char *name)
{
    return xenfork__remedy(ctx,
                           "its disk stays where it is; end that, and then xl "
                           "fork-detach %s again",
                           name);
}

/*
 * Check that a clone that did not run has not started.  We hold its lock, but
 * xl create and xl restore take none.
 */
static int check_ended(xenfork_ctx *ctx, const struct xenfork__record *clone)
{
    uint32_t domid;
    int rc = xenfork__clone_domid(ctx, clone, &domid);

    if (rc == XENFORK_E_NOTFOUND &&
        xenfork__restart_is_pending(ctx, clone->uuid)) {
        xenfork__fail(ctx, XENFORK_E_BUSY, 0,
                      "xenforkd is about to start clone %s again, with the "
                      "disks that it had",
                      clone->name);
        return xenfork__remedy(ctx, "xl fork-start %s, or wait", clone->name);
    }
    if (rc == XENFORK_E_NOTFOUND)
        return xenfork__leave_check_open(ctx, clone, say_again);
    if (rc < 0)
        return rc;
    xenfork__fail(ctx, XENFORK_E_INUSE, 0,
                  "clone %s has started meanwhile, as domain %u: its disk "
                  "stays where it is",
                  clone->name, domid);
    return xenfork__remedy(ctx, "xl fork-detach %s again", clone->name);
}

int xenfork__detach_stays(xenfork_ctx *ctx,
                          const struct xenfork__detaching *job, uint32_t domid)
{
    int rc = check_note(ctx, job, domid);

    return rc < 0 || domid != XENFORK_DOMID_NONE ? rc
                                                 : check_ended(ctx, job->clone);
}

/* Return the share in per cent. */
static uint64_t percent_of(uint64_t done, uint64_t total)
{
    if (!total)
        return 0;
    return done < total ? (uint64_t)((double)done / (double)total * 100) : 100;
}

int xenfork__detach_step(xenfork_ctx *ctx, struct xenfork__detaching *job,
                         uint64_t done, uint64_t total, uint64_t moved)
{
    uint32_t percent = (uint32_t)((job->part * 100 + percent_of(done, total)) /
                                  job->parts);
    int rc = xenfork__detach_wait(ctx, job);

    if (rc < 0)
        return rc;
    xenfork__progress(ctx, 0, percent, 100);
    job->moved_bytes += moved;
    if ((rc = pace_copy(ctx, job)) < 0)
        return rc;
    /* All of it is recorded only when true. */
    percent = percent < 100 ? percent : 99;
    return percent < job->clone->detached + 5
               ? 0
               : xenfork__detach_save(ctx, job, percent);
}

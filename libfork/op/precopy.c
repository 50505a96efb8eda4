/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "op/precopy.h"

#include "host/host.h"
#include "op/saved.h"

#define ROUNDS   8
#define LAST_NS  UINT64_C(20000000) /* that the last round may take */
#define MEASURED 64U                /* pages whose time tells what one takes */

static struct xenfork__sharing sharing_of(struct xenfork__job *job)
{
    return (struct xenfork__sharing){
        .source = job->info.domid,
        .image = job->image->domid,
        .pages = &job->pages,
        .reservation = &job->reservation,
    };
}

/* Share what is due, and note what a page takes. */
static int share_round(struct xenfork__job *job)
{
    uint64_t due = xenfork__pages_due(&job->pages);
    struct xenfork__sharing sharing = sharing_of(job);
    int rc;

    sharing.is_running = !job->info.is_paused;
    sharing.pace = job->spec->pace;
    rc = xenfork__pages_share(job->ctx, &sharing);
    if (due >= MEASURED)
        job->page_ns = sharing.work_ns / due;
    job->result->ns[XENFORK_STAGE_PAUSES] += sharing.pauses_ns;
    xenfork__count(job->ctx, XENFORK_COUNT_ROUNDS, 1);
    LOG_DEBUG(job->ctx,
              "domain %u: %llu pages due, %llu left; %llu ms, paused %llu ms",
              job->info.domid, (unsigned long long)due,
              (unsigned long long)xenfork__pages_due(&job->pages),
              (unsigned long long)(sharing.work_ns / 1000000),
              (unsigned long long)(sharing.pauses_ns / 1000000));
    return rc;
}

int xenfork__precopy_written(struct xenfork__job *job)
{
    uint64_t words = job->pages.end / 64;
    cleanup_free uint64_t *written = calloc(words + 1, sizeof(*written));
    int rc;

    if (!written)
        return xenfork__nomem(job->ctx);
    rc = xenfork__xen_dirty_take(job->ctx, job->info.domid, job->pages.end,
                                 written);
    if (rc == 0)
        xenfork__pages_written(&job->pages, written);
    return rc;
}

/*
 * Refuse to go on beside a migration.  It takes the log over without asking
 * (xg_sr_save.c, enable_logdirty(), 4.17): from then on it is the migration's.
 */
static int refuse_migration(struct xenfork__job *job)
{
    return xenfork__saved_refuse(job->ctx, job->info.domid);
}

static uint64_t allowed_ns(const struct xenfork__job *job)
{
    return job->spec->max_stun_ms * UINT64_C(1000000);
}

/* Return what the last round may take: not all of the time that is allowed. */
static uint64_t aim_ns(const struct xenfork__job *job)
{
    uint64_t ns = job->ctx->last_ns ? job->ctx->last_ns : LAST_NS;

    return job->spec->max_stun_ms && allowed_ns(job) < ns ? allowed_ns(job)
                                                          : ns;
}

static bool is_too_long(const struct xenfork__job *job, uint64_t ns)
{
    return job->spec->max_stun_ms &&
           !(job->spec->flags & XENFORK_FORK_STUN_ANYWAY) &&
           ns > allowed_ns(job);
}

static int too_long(struct xenfork__job *job, uint64_t ns)
{
    uint64_t ms = ns / 1000000;

    xenfork__fail(
        job->ctx, XENFORK_E_BUSY, 0,
        "domain %u would stand still for %llu ms or more, and %u are allowed",
        job->info.domid, (unsigned long long)ms, job->spec->max_stun_ms);
    return xenfork__remedy(job->ctx, "fork it while it writes less, or allow "
                                     "it more time (--max-stun)");
}

/* Repeat for what has been written, until little is, or it does not get less.
 */
static int share_again(struct xenfork__job *job)
{
    uint64_t written, before = UINT64_MAX, ns;
    int rc, round;

    for (round = 1;; round++) {
        if ((rc = refuse_migration(job)) < 0 ||
            (rc = xenfork__xen_dirty_count(job->ctx, job->info.domid,
                                           &written)) < 0)
            return rc;
        ns = (written + xenfork__pages_due(&job->pages)) * job->page_ns;
        if (ns <= aim_ns(job))
            return 0;
        if (round == ROUNDS || written >= before / 4 * 3)
            return is_too_long(job, ns) ? too_long(job, ns) : 0;
        before = written;
        if ((rc = xenfork__precopy_written(job)) < 0 ||
            (rc = share_round(job)) < 0)
            return rc;
    }
}

/* Begin the log.  The journal says it before it is so, and not if it is not
 * ours. */
static int begin_log(struct xenfork__job *job)
{
    int rc = xenfork__journal_logging(job->ctx, job->journal);

    if (rc < 0)
        return rc;
    rc = xenfork__xen_dirty_begin(job->ctx, job->info.domid);
    if (rc == XENFORK_E_BUSY)
        xenfork__journal_logged(job->ctx, job->journal);
    return rc;
}

int xenfork__precopy(struct xenfork__job *job)
{
    int rc;

    if ((rc = begin_log(job)) < 0 ||
        (rc = xenfork__pages_scan(job->ctx, job->info.domid, &job->pages)) <
            0 ||
        (rc = share_round(job)) < 0)
        return rc;
    xenfork__test_hook(job->ctx, XENFORK_STAGE_PAUSES);
    /* A paused source writes nothing until it goes to suspension. */
    if (job->info.is_paused)
        return xenfork__reservation_follow(job->ctx, job->image->domid,
                                           job->info.domid, &job->reservation);
    return share_again(job);
}

int xenfork__precopy_complete(struct xenfork__job *job)
{
    struct xenfork__sharing sharing = sharing_of(job);
    uint64_t ns;
    int rc;

    if (job->frozen)
        return xenfork__pages_complete(job->ctx, &sharing);
    if ((rc = xenfork__precopy_written(job)) < 0 ||
        (rc = refuse_migration(job)) < 0)
        return rc;
    ns = xenfork__now_ns() - job->asked_ns +
         xenfork__pages_due(&job->pages) * job->page_ns;
    if (is_too_long(job, ns))
        return too_long(job, ns);
    xenfork__count(job->ctx, XENFORK_COUNT_PAGES_LAST,
                   xenfork__pages_due(&job->pages));
    rc = xenfork__pages_complete(job->ctx, &sharing);
    ns = xenfork__now_ns() - job->asked_ns;
    return rc == 0 && is_too_long(job, ns) ? too_long(job, ns) : rc;
}

int xenfork__precopy_end(struct xenfork__job *job)
{
    int rc = 0;

    if (xenfork__sys_is_saved(job->info.domid))
        LOG_WARN(job->ctx,
                 "domain %u is being migrated: Xen goes on logging what it "
                 "writes, ignoring",
                 job->info.domid);
    else
        rc = xenfork__xen_dirty_end(job->ctx, job->info.domid);
    return rc < 0 ? rc : xenfork__journal_logged(job->ctx, job->journal);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "op/source.h"

#include <pthread.h>
#include <time.h>

#include "host/host.h"
#include "op/quiesce.h"
#include "op/recover.h"
#include "op/rollback.h"

int xenfork__source_lock(xenfork_ctx *ctx, struct xenfork__dominfo *info,
                         struct xenfork__lock **lock_out)
{
    cleanup_lock struct xenfork__lock *lock = NULL;
    char name[24];
    int rc;

    snprintf(name, sizeof(name), "domain %u", info->domid);
    if ((rc = xenfork__lock_domain(ctx, info->uuid, name, &lock)) < 0 ||
        (rc = xenfork__xen_info(ctx, info->domid, info)) < 0)
        return rc;
    *lock_out = steal_ptr(lock);
    return 0;
}

/*
 * Note that the source runs on, and nothing is pending; @rc remains the error.
 */
static int not_suspended(xenfork_ctx *ctx, struct xenfork__journal *journal,
                         const struct xenfork__dominfo *info, int rc)
{
    keep_error struct xenfork__kept kept = xenfork__keep(ctx);

    if (rc != XENFORK_E_RESIDUE &&
        (!info->is_paused || xenfork__xen_pause(ctx, info->domid) == 0))
        xenfork__journal_resumed(ctx, journal);
    return rc;
}

static int ask_guest(xenfork_ctx *ctx, struct xenfork__journal *journal,
                     const struct xenfork__dominfo *info, uint32_t timeout_ms)
{
    int rc;

    /* A paused guest must run to reach suspension; paused again at once. */
    if (info->is_paused && (rc = xenfork__xen_unpause(ctx, info->domid)) < 0)
        return rc;
    rc = xenfork__xen_suspend(ctx, info->domid, timeout_ms);
    if (rc < 0)
        return not_suspended(ctx, journal, info, rc);
    return info->is_paused ? xenfork__xen_pause(ctx, info->domid) : 0;
}

static int stop_source(xenfork_ctx *ctx, const struct xenfork__dominfo *info,
                       uint32_t timeout_ms)
{
    int rc = xenfork__xen_stop(ctx, info->domid, timeout_ms);

    return rc < 0 ? rc : xenfork__quiesce_verify(ctx, info->domid);
}

/* Note whether xl watches the domain, whose watcher may end now. */
static int note_watcher(xenfork_ctx *ctx, uint32_t domid)
{
    cleanup_free char *name = NULL;
    bool must;
    int rc;

    if ((rc = xenfork__xen_must_mark(ctx, domid, &must)) < 0 || !must ||
        (rc = xenfork__xen_name(ctx, domid, &name)) < 0)
        return rc;
    return xenfork__xen_mark_suspended(
        ctx, domid, xenfork__sys_xl_watches("/proc", name, domid));
}

int xenfork__source_suspend(xenfork_ctx *ctx, struct xenfork__journal *journal,
                            const struct xenfork__dominfo *info, int how,
                            uint32_t timeout_ms, uint64_t *asked_ns_out)
{
    bool is_stop;
    int rc;

    if ((rc = xenfork__quiesce_choose(ctx, info->domid, how, &is_stop)) < 0 ||
        (rc = xenfork__journal_suspending(ctx, journal, is_stop)) < 0 ||
        (rc = note_watcher(ctx, info->domid)) < 0)
        return rc;
    *asked_ns_out = xenfork__now_ns();
    return is_stop ? stop_source(ctx, info, timeout_ms)
                   : ask_guest(ctx, journal, info, timeout_ms);
}

/*
 * Tell the keeper, without the SIGPIPE that the caller would get when the
 * keeper is gone.
 */
static bool tell_keeper(int fd)
{
    struct timespec now = {0};
    sigset_t pipe_set, old;
    ssize_t n;
    int e;

    sigemptyset(&pipe_set);
    sigaddset(&pipe_set, SIGPIPE);
    if (pthread_sigmask(SIG_BLOCK, &pipe_set, &old))
        return false;
    n = write(fd, "c", 1);
    e = errno;
    if (n < 0 && e == EPIPE && !sigismember(&old, SIGPIPE))
        sigtimedwait(&pipe_set, NULL, &now);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return n == 1;
}

int xenfork__source_commit(xenfork_ctx *ctx, struct xenfork__journal *journal,
                           int keeper_fd)
{
    int rc = xenfork__journal_commit(ctx, journal);

    if (rc < 0)
        return rc;
    /* A keeper that is gone is missed at the next call, not now. */
    if (!tell_keeper(keeper_fd))
        LOG_WARN(ctx, "domain %u: xenfork-keeper is gone, ignoring",
                 ctx->domid);
    return 0;
}

int xenfork__source_undo(xenfork_ctx *ctx, struct xenfork__journal *journal,
                         int rc)
{
    int r;

    LOG_INFO(ctx, "domain %u: undoing what was begun", ctx->domid);
    {
        keep_error struct xenfork__kept kept = xenfork__keep(ctx);
        bool was_firm = ctx->is_firm;

        ctx->is_firm = true;
        r = xenfork__journal_rollback(ctx, journal);
        ctx->is_firm = was_firm;
    }
    if (r == 0)
        return rc;
    ctx->error.code = XENFORK_E_RESIDUE;
    xenfork__remedy(ctx, "undoing it failed too: the next fork tries again");
    return XENFORK_E_RESIDUE;
}

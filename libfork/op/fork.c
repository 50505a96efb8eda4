/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A fork from beginning to end: check, image, clones, commit; or undo. */
#include "op/job.h"

#include "host/host.h"
#include "op/check.h"
#include "op/domain.h"
#include "op/frozen.h"
#include "op/nic.h"
#include "op/recover.h"
#include "op/source.h"

static int check_image(struct xenfork__job *job)
{
    int rc = xenfork__image_load(job);
    uint32_t i;

    for (i = 0; rc == 0 && i < job->config->nic_count; i++)
        rc = xenfork__nic_check_place(job->ctx, job->spec, job->config, i);
    return rc < 0 ? rc
                  : xenfork__reservation_check(job->ctx, &job->reservation);
}

static int check_running_source(struct xenfork__job *job)
{
    xenfork_check *check;
    uint64_t pages;
    int rc;

    if ((rc = xenfork__xen_config_get(job->ctx, job->info.domid,
                                      &job->config)) < 0 ||
        (rc = xenfork__check_source(job->ctx, &job->info, job->config,
                                    job->spec, job->frozen, &check)) < 0)
        return rc;
    rc = xenfork__check_fail(job->ctx, check);
    xenfork_check_free(check);
    if (rc < 0 || (rc = xenfork__pages_count(job->ctx, &job->info, &pages)) < 0)
        return rc;
    return xenfork__reservation(job->ctx, job->spec, &job->info, false, pages,
                                &job->reservation);
}

/* Check a frozen source: its image, if there is one, is forked in its place. */
static int check_frozen_source(struct xenfork__job *job)
{
    xenfork_ctx *ctx = job->ctx;
    int rc = xenfork__frozen_image(ctx, job->frozen, &job->image);

    if (rc == XENFORK_E_NOTFOUND) {
        /* The source counts as running, and need not be paused. */
        job->info.is_shutdown = false;
        job->info.is_paused = true;
        return check_running_source(job);
    }
    if (rc < 0 ||
        (rc = xenfork__xen_info(ctx, job->image->domid, &job->info)) < 0 ||
        (rc = xenfork__source_lock(ctx, &job->info, &job->image_lock)) < 0)
        return rc;
    job->max_pages = job->info.max_pages;
    return check_image(job);
}

/* Find what is forked, and check that it can be forked. */
static int stage_check(struct xenfork__job *job, uint32_t domid)
{
    xenfork_ctx *ctx = job->ctx;
    int rc;

    rc = xenfork__job_enter(job, XENFORK_STAGE_CHECK, XENFORK_ALL);
    if (rc < 0)
        return rc;
    if (domid == 0)
        return xenfork__fail(ctx, XENFORK_E_INVAL, 0,
                             "domain 0 cannot be forked");
    if ((rc = xenfork__recover_others(ctx)) < 0 ||
        (rc = xenfork__xen_info(ctx, domid, &job->info)) < 0 ||
        (rc = xenfork__source_lock(ctx, &job->info, &job->lock)) < 0)
        return rc;
    job->max_pages = job->info.max_pages;
    rc = xenfork__record_load(ctx, XENFORK_KIND_IMAGE, job->info.uuid,
                              &job->image);
    if (rc == 0)
        return check_image(job);
    if (rc == XENFORK_E_NOTFOUND)
        rc = xenfork__frozen_load(ctx, job->info.uuid, &job->frozen);
    if (rc == 0)
        return check_frozen_source(job);
    return rc == XENFORK_E_NOTFOUND ? check_running_source(job) : rc;
}

static int begin_fork(struct xenfork__job *job)
{
    int rc;

    rc = xenfork__journal_begin(job->ctx, &job->journal);
    if (rc < 0)
        return rc;
    rc = xenfork__identities_choose(job->ctx, job->spec,
                                    job->image ? job->image->parent_name
                                               : job->config->name,
                                    job->config, job->journal, &job->ids);
    if (rc < 0)
        return rc;
    return xenfork__sys_keeper(job->ctx, xenfork__journal_id(job->journal),
                               &job->keeper_fd);
}

static int make_all(struct xenfork__job *job)
{
    bool has_image = job->image;
    int rc;

    if ((rc = begin_fork(job)) < 0)
        return rc;
    /* An image that exists needs one entry, together with the clones' disks. */
    if (!job->image && (rc = xenfork__image_make(job)) < 0)
        return rc;
    if ((rc = xenfork__clones_announce(job)) < 0 ||
        (rc = has_image
                  ? xenfork__image_claim(job)
                  : xenfork__journal_chosen(job->ctx, job->journal)) < 0 ||
        (rc = xenfork__clones_make(job)) < 0 ||
        (rc = xenfork__reservation_end(job->ctx, job->image->domid,
                                       job->max_pages)) < 0)
        return rc;
    return xenfork__clones_start(job);
}

static int commit_fork(struct xenfork__job *job)
{
    int rc;

    xenfork__job_enter_firm(job, XENFORK_STAGE_UNPAUSE, XENFORK_ALL);
    rc = xenfork__source_commit(job->ctx, job->journal, job->keeper_fd);
    if (rc == 0)
        job->journal = NULL;
    return rc;
}

static void job_free(struct xenfork__job *job)
{
    xenfork__identities_free(job->ids, job->spec->count);
    xenfork__pages_free(&job->pages);
    xenfork__mute_free(&job->mute);
    xenfork__capture_free(job->capture);
    xenfork__makings_free(job->makings, job->spec->count);
    xenfork__xen_fast_close(job->fast);
    xenfork__config_free(job->config);
    xenfork__record_free(job->image);
    xenfork__record_free(job->frozen);
    xenfork__lock_drop(job->image_lock);
    xenfork__lock_drop(job->lock);
    xenfork_result_free(job->result);
    if (job->keeper_fd >= 0)
        close(job->keeper_fd);
}

XENFORK_API int xenfork_fork(xenfork_ctx *ctx, uint32_t domid,
                             const xenfork_spec *spec,
                             xenfork_result **result_out)
{
    struct xenfork__job job = {.ctx = ctx, .spec = spec, .keeper_fd = -1};
    uint64_t start_ns = xenfork__now_ns();
    int rc;

    xenfork__begin(ctx, domid);
    if (!spec || !result_out)
        return xenfork__fail(ctx, XENFORK_E_INVAL, 0, "no spec or result");
    rc = xenfork__result_new(ctx, spec->count, &job.result);
    if (rc < 0)
        return rc;
    job.ns = job.result->ns;
    job.mark_ns = start_ns;
    if ((rc = stage_check(&job, domid)) == 0 && (rc = make_all(&job)) == 0)
        rc = commit_fork(&job);
    if (rc < 0) {
        if (job.journal)
            rc = xenfork__source_undo(ctx, job.journal, rc);
    } else {
        xenfork__job_end(&job, start_ns);
        *result_out = steal_ptr(job.result);
    }
    job_free(&job);
    return rc;
}

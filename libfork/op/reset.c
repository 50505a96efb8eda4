/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A clone goes back to where it was forked: its domain is destroyed, and made
 * from the image again, as at a fork, with new overlays.
 */
#include "op/reset.h"

#include <string.h>

#include "disk/disk.h"
#include "host/host.h"
#include "op/restarted.h"
#include "op/rollback.h"
#include "op/source.h"

static const struct xenfork__nic *kept_nic(const struct xenfork__config *kept,
                                           int devid)
{
    uint32_t n;

    for (n = 0; n < kept->nic_count; n++)
        if (kept->nics[n].devid == devid)
            return &kept->nics[n];
    return NULL;
}

static int identify_nic(const struct xenfork__reset *reset, uint32_t n,
                        struct xenfork__nic *nic)
{
    const struct xenfork__record *clone = reset->clone;
    int devid = reset->job.config->nics[n].devid;
    const struct xenfork__nic *kept = kept_nic(reset->kept, devid);

    if (n >= clone->nic_count || clone->nics[n].devid != devid)
        return xenfork__fail(reset->job.ctx, XENFORK_E_STATE, 0,
                             "the record of clone %s lacks NIC %u", clone->name,
                             n);
    nic->devid = devid;
    memcpy(nic->mac, clone->nics[n].mac, 6);
    if (!kept)
        kept = &reset->job.config->nics[n];
    if ((kept->bridge && !(nic->bridge = strdup(kept->bridge))) ||
        (kept->ip && !(nic->ip = strdup(kept->ip))))
        return xenfork__nomem(reset->job.ctx);
    /* Before the old domain goes. */
    return xenfork__sys_can_join(
        reset->job.ctx, reset->job.config->nics[n].script, nic->bridge);
}

/* Identify it as it is; only its disks are called by another UUID. */
static int identify_clone(struct xenfork__reset *reset)
{
    struct xenfork__job *job = &reset->job;
    struct xenfork__identity *id = calloc(1, sizeof(*id));
    uint32_t n;
    int rc = 0;

    if (!id)
        return xenfork__nomem(job->ctx);
    job->ids = id;
    memcpy(id->uuid, reset->clone->uuid, 16);
    id->name = strdup(reset->clone->name);
    id->nics = calloc(job->config->nic_count + 1, sizeof(*id->nics));
    if (!id->name || !id->nics)
        return xenfork__nomem(job->ctx);
    rc = xenfork__uuid_random(job->ctx, id->disks);
    for (n = 0; n < job->config->nic_count && rc >= 0; n++) {
        id->nic_count = n + 1;
        rc = identify_nic(reset, n, &id->nics[n]);
    }
    return rc;
}

/* Journal all that is made, and all that goes. */
static int begin_reset(struct xenfork__reset *reset)
{
    struct xenfork__job *job = &reset->job;
    const struct xenfork__record *clone = reset->clone;
    xenfork_ctx *ctx = job->ctx;
    uint32_t i;
    int rc;

    if ((rc = identify_clone(reset)) < 0 ||
        (rc = xenfork__journal_begin(ctx, &job->journal)) < 0)
        return rc;
    rc = xenfork__journal_reset(ctx, job->journal, clone->uuid, job->retired,
                                reset->clone_spec.is_paused);
    for (i = 0; i < clone->disk_count && rc >= 0; i++)
        rc = xenfork__journal_replaced(
            ctx, job->journal, clone->disks[i].driver, clone->disks[i].path);
    if (rc < 0 ||
        (rc = xenfork__disks_announce(ctx, job->journal, job->spec, job->config,
                                      job->image, job->ids->disks)) < 0 ||
        (rc = xenfork__journal_claim(ctx, job->journal, job->image->uuid,
                                     job->max_pages)) < 0)
        return rc;
    return xenfork__sys_keeper(ctx, xenfork__journal_id(job->journal),
                               &job->keeper_fd);
}

/* Destroy the old domain: from here on there is no way back to it. */
static int retire_clone(struct xenfork__job *job)
{
    int rc = xenfork__journal_retiring(job->ctx, job->journal);

    if (rc < 0)
        return rc;
    job->ctx->is_firm = true;
    if (job->retired != XENFORK_DOMID_NONE &&
        (rc = xenfork__xen_destroy(job->ctx, job->retired)) < 0)
        return rc;
    return xenfork__reservation_claim(job->ctx, job->image->domid,
                                      &job->reservation);
}

static int make_reset(struct xenfork__reset *reset)
{
    struct xenfork__job *job = &reset->job;
    xenfork_ctx *ctx = job->ctx;
    int rc;

    if ((rc = begin_reset(reset)) < 0 || (rc = xenfork__clones_make(job)) < 0 ||
        (rc = xenfork__reservation_end(ctx, job->image->domid,
                                       job->max_pages)) < 0)
        return rc;
    xenfork__job_enter_firm(job, XENFORK_STAGE_UNPAUSE, 0);
    job->result->clones[0].start_ns = xenfork__now_ns();
    if ((rc = xenfork__reset_complete(ctx, job->journal)) < 0)
        return rc;
    xenfork__job_enter_firm(job, XENFORK_STAGE_UNPAUSE, XENFORK_ALL);
    if ((rc = xenfork__source_commit(ctx, job->journal, job->keeper_fd)) < 0)
        return rc;
    job->journal = NULL;
    xenfork__restarted_done(ctx, reset->clone->uuid);
    return 0;
}

static void reset_free(struct xenfork__reset *reset)
{
    struct xenfork__job *job = &reset->job;

    if (job->ids)
        xenfork__identities_free(job->ids, 1);
    xenfork__makings_free(job->makings, 1);
    xenfork__xen_fast_close(job->fast);
    xenfork__config_free(job->config);
    xenfork__config_free(reset->kept);
    xenfork__record_free(job->image);
    xenfork__record_free(reset->clone);
    free(reset->spec.disks);
    free(reset->clone_spec.nics);
    xenfork__lock_drop(job->image_lock);
    xenfork__lock_drop(reset->lock);
    xenfork__lock_drop(reset->detach_lock);
    xenfork_result_free(job->result);
    if (job->keeper_fd >= 0)
        close(job->keeper_fd);
}

XENFORK_API int xenfork_clone_reset(xenfork_ctx *ctx, const char *name,
                                    uint32_t flags, xenfork_result **result_out)
{
    struct xenfork__reset reset = {.job = {.ctx = ctx,
                                           .keeper_fd = -1,
                                           .retired = XENFORK_DOMID_NONE,
                                           .retire = retire_clone}};
    uint64_t start_ns = xenfork__now_ns();
    struct xenfork__job *job = &reset.job;
    int rc;

    xenfork__begin(ctx, XENFORK_DOMID_NONE);
    if (!name || !result_out || (flags & ~XENFORK_RESET_PAUSED))
        return xenfork__fail(ctx, XENFORK_E_INVAL, 0,
                             "no name or result, or flags");
    if ((rc = xenfork__result_new(ctx, 1, &job->result)) < 0)
        return rc;
    job->ns = job->result->ns;
    job->mark_ns = start_ns;
    if ((rc = xenfork__reset_check(&reset, name, flags)) == 0)
        rc = make_reset(&reset);
    if (rc < 0 && job->journal)
        rc = xenfork__source_undo(ctx, job->journal, rc);
    if (rc == 0) {
        xenfork__job_end(job, start_ns);
        *result_out = steal_ptr(job->result);
    }
    reset_free(&reset);
    return rc;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A fork from beginning to end: check, image, clones, commit; or undo. */
#include "op/job.h"

#include <string.h>

#include "disk/disk.h"
#include "host/host.h"
#include "op/check.h"
#include "op/domain.h"
#include "op/frozen.h"
#include "op/recover.h"
#include "op/source.h"
#include "state/files.h"

#define MAX_CONFIG_BYTES (4U << 20)

/*
 * Load the configuration of an image that is forked, which is in the state
 * directory.
 */
static int load_image_config(struct xenfork__job *job)
{
    cleanup_free char *path = NULL;
    cleanup_free char *json = NULL;
    size_t bytes;
    int rc;

    path = xenfork__record_path(job->ctx, XENFORK_KIND_IMAGE, job->image->uuid,
                                XENFORK__FILE_CONFIG);
    if (!path)
        return xenfork__nomem(job->ctx);
    rc = xenfork__file_read(job->ctx, path, MAX_CONFIG_BYTES, &json, &bytes);
    if (rc == XENFORK_E_NOTFOUND) {
        xenfork__fail(job->ctx, XENFORK_E_STATE, 0,
                      "image %s has lost its configuration", job->image->name);
        return xenfork__remedy(job->ctx, "fork the source anew; xl "
                                         "fork-image-destroy removes the "
                                         "image");
    }
    if (rc < 0)
        return rc;
    return xenfork__xen_config_parse(job->ctx, json, &job->config);
}

/*
 * Check an image.  The clones' identities are checked when they are chosen,
 * right after this: nothing runs that would stand still in vain.
 */
static int check_image(struct xenfork__job *job)
{
    int rc;

    if (xenfork__image_is_broken(&job->info)) {
        xenfork__fail(job->ctx, XENFORK_E_STATE, 0,
                      "image %s is broken: somebody has let it run",
                      job->image->name);
        return xenfork__remedy(job->ctx,
                               "xl fork-image-destroy %s, and fork "
                               "%s once more",
                               job->image->name, job->image->parent_name);
    }
    if ((rc = load_image_config(job)) < 0 ||
        (rc = xenfork__disks_wishes(job->ctx, job->spec, job->config)) < 0)
        return rc;
    rc = xenfork__reservation(job->ctx, job->spec, &job->info, true,
                              job->image->pages, &job->reservation);
    return rc < 0 ? rc
                  : xenfork__reservation_check(job->ctx, &job->reservation);
}

static int check_running_source(struct xenfork__job *job)
{
    xenfork_check *check;
    int rc;

    if ((rc = xenfork__xen_config_get(job->ctx, job->info.domid,
                                      &job->config)) < 0 ||
        (rc = xenfork__check_source(job->ctx, &job->info, job->config,
                                    job->spec, job->frozen, &check)) < 0)
        return rc;
    rc = xenfork__check_fail(job->ctx, check);
    xenfork_check_free(check);
    if (rc < 0)
        return rc;
    return xenfork__reservation(
        job->ctx, job->spec, &job->info, false,
        job->info.private_pages + job->info.shared_pages, &job->reservation);
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

/* Reserve memory for clones of an existing image, in the image's name. */
static int claim_image(struct xenfork__job *job)
{
    int rc = xenfork__journal_claim(job->ctx, job->journal, job->image->uuid,
                                    job->max_pages);

    return rc < 0 ? rc
                  : xenfork__reservation_claim(job->ctx, job->image->domid,
                                               &job->reservation);
}

static int make_all(struct xenfork__job *job)
{
    int rc;

    if ((rc = begin_fork(job)) < 0)
        return rc;
    rc = job->image ? claim_image(job) : xenfork__image_make(job);
    if (rc < 0 || (rc = xenfork__clones_announce(job)) < 0 ||
        (rc = xenfork__clones_make(job)) < 0 ||
        (rc = xenfork__reservation_end(job->ctx, job->image->domid,
                                       job->max_pages)) < 0)
        return rc;
    return xenfork__clones_start(job);
}

static int commit_fork(struct xenfork__job *job)
{
    int rc = xenfork__source_commit(job->ctx, job->journal, job->keeper_fd);

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

static void fill_memory(const struct xenfork__job *job)
{
    const struct xenfork__reservation *reservation = &job->reservation;
    uint64_t *kib = job->result->kib, count = job->spec->count;

    kib[XENFORK_RESULT_RESERVED] = count * reservation->clone_pages *
                                   XENFORK__PAGE_KIB;
    kib[XENFORK_RESULT_MAY_WRITE] = count * job->image->pages *
                                    XENFORK__PAGE_KIB;
    kib[XENFORK_RESULT_SOURCE] = reservation->source_limit * XENFORK__PAGE_KIB;
}

static void fill_result(struct xenfork__job *job, uint64_t start_ns)
{
    xenfork_result *result = job->result;

    xenfork__job_account(job);
    fill_memory(job);
    result->image_domid = job->image->domid;
    result->image_name = steal_ptr(job->image->name);
    result->ns[XENFORK_STAGE_TOTAL] = xenfork__now_ns() - start_ns;
    memcpy(result->counters, job->ctx->counters, sizeof(result->counters));
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
        fill_result(&job, start_ns);
        *result_out = steal_ptr(job.result);
    }
    job_free(&job);
    return rc;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From a running source to its image. */
#include "op/job.h"

#include <string.h>
#include <time.h>

#include "disk/disk.h"
#include "op/guest.h"
#include "op/precopy.h"
#include "op/source.h"
#include "op/special.h"
#include "op/stream.h"
#include "state/files.h"

#define DRAIN_TIMEOUT_MS 10000U

/* Tell whether an image or another domain has this name. */
static int is_taken(struct xenfork__job *job,
                    const struct xenfork__records *images, const char *name,
                    bool *is_taken_out)
{
    uint32_t domid;
    size_t i;
    int rc = xenfork__xen_by_name(job->ctx, name, &domid);

    if (rc < 0 && rc != XENFORK_E_NOTFOUND)
        return rc;
    *is_taken_out = rc == 0;
    for (i = 0; i < images->count; i++)
        *is_taken_out |= !strcmp(images->records[i]->name, name);
    return 0;
}

/*
 * Name the image "web1@fork-1" and so on: nobody else forks this source
 * meanwhile.
 */
static int choose_name(struct xenfork__job *job)
{
    cleanup_records struct xenfork__records images = {0};
    char stem[XENFORK__NAME_MAX + 1];
    bool taken = true;
    uint32_t n;
    int rc = xenfork__records_load(job->ctx, XENFORK_KIND_IMAGE, &images);

    xenfork__name_stem(job->config->name, XENFORK__NAME_MAX - 16, stem);
    for (n = 1; rc >= 0 && taken; n++) {
        free(job->image->name);
        if (asprintf(&job->image->name, "%s@fork-%u", stem, n) < 0) {
            job->image->name = NULL;
            return xenfork__nomem(job->ctx);
        }
        rc = is_taken(job, &images, job->image->name, &taken);
    }
    return rc;
}

/* Note whose pages the image shares: a clone has them of its own sources. */
static int note_sources(struct xenfork__job *job)
{
    cleanup_record struct xenfork__record *clone = NULL;
    int rc = xenfork__record_add_source(job->ctx, job->image, job->info.uuid);

    if (rc == 0)
        rc = xenfork__record_load(job->ctx, XENFORK_KIND_CLONE, job->info.uuid,
                                  &clone);
    if (rc < 0 || clone->detached == 100)
        return rc == XENFORK_E_NOTFOUND ? 0 : rc;
    return xenfork__record_add_sources(job->ctx, job->image, clone);
}

static int new_image_record(struct xenfork__job *job)
{
    struct xenfork__record *image = calloc(1, sizeof(*image));
    uint32_t n;
    int rc = 0;

    if (!image)
        return xenfork__nomem(job->ctx);
    job->image = image;
    image->kind = XENFORK_KIND_IMAGE;
    xenfork__record_set_domid(job->ctx, image, XENFORK_DOMID_NONE);
    memcpy(image->parent, job->info.uuid, 16);
    image->parent_name = strdup(job->config->name);
    strcpy(image->journal, xenfork__journal_id(job->journal));
    if (job->frozen)
        strcpy(image->freeze, job->frozen->journal);
    image->created_s = (uint64_t)time(NULL);
    image->is_kept = job->spec->flags & XENFORK_FORK_KEEP_IMAGE;
    if (!image->parent_name)
        return xenfork__nomem(job->ctx);
    if ((rc = xenfork__uuid_random(job->ctx, image->uuid)) < 0 ||
        (rc = note_sources(job)) < 0)
        return rc;
    for (n = 0; n < job->config->nic_count && rc >= 0; n++)
        rc = xenfork__record_add_nic(
            job->ctx, image, job->config->nics[n].devid,
            job->config->nics[n].mac, XENFORK_LINK_CONNECT);
    return rc < 0 ? rc : choose_name(job);
}

static int note_pool(struct xenfork__job *job)
{
    uint64_t bytes;
    int rc = xenfork__xen_pool(job->ctx, job->info.domid, job->info.max_pages,
                               &bytes);

    return rc < 0 ? rc : xenfork__journal_pool(job->ctx, job->journal, bytes);
}

static int reserve(struct xenfork__job *job)
{
    xenfork_ctx *ctx = job->ctx;
    int rc;

    if ((rc = xenfork__job_enter(job, XENFORK_STAGE_RESERVE, XENFORK_ALL)) <
            0 ||
        (rc = new_image_record(job)) < 0 ||
        (rc = xenfork__journal_source(ctx, job->journal, job->info.uuid,
                                      job->info.domid, job->info.is_paused)) <
            0 ||
        (rc = xenfork__guest_source(ctx, job->journal, job->info.domid)) < 0 ||
        (rc = note_pool(job)) < 0 ||
        (rc = xenfork__journal_image(ctx, job->journal, job->image->uuid)) <
            0 ||
        (rc = xenfork__xen_image_create(ctx, job->info.domid, job->image->uuid,
                                        job->image->name, &job->image->domid)) <
            0)
        return rc;
    return xenfork__reservation_claim(ctx, job->image->domid,
                                      &job->reservation);
}

static int prepare_image(struct xenfork__job *job)
{
    xenfork_ctx *ctx = job->ctx;
    int rc;

    if ((rc = xenfork__job_enter(job, XENFORK_STAGE_PREPARE, XENFORK_ALL)) <
            0 ||
        (rc = xenfork__disks_prepare(
             ctx,
             &(struct xenfork__disks_source){.journal = job->journal,
                                             .spec = job->spec,
                                             .config = job->config,
                                             .domid = job->info.domid,
                                             .is_frozen = job->frozen},
             job->image)) < 0)
        return rc;
    if (job->frozen)
        return xenfork__pages_scan(ctx, job->info.domid, &job->pages);
    rc = xenfork__precopy(job);
    return rc < 0 ? rc
                  : xenfork__mute_prepare(ctx, job->journal, job->info.domid,
                                          &job->mute);
}

static int suspend(struct xenfork__job *job)
{
    int rc;

    if (job->frozen)
        return 0;
    rc = xenfork__job_enter(job, XENFORK_STAGE_SUSPEND, XENFORK_ALL);
    if (rc < 0)
        return rc;
    return xenfork__source_suspend(job->ctx, job->journal, &job->info,
                                   job->spec->quiesce, job->spec->timeout_ms,
                                   &job->asked_ns);
}

static int capture(struct xenfork__job *job)
{
    cleanup_free uint64_t *gfns = NULL;
    uint32_t count;
    int rc;

    if ((rc = xenfork__job_enter(job, XENFORK_STAGE_CAPTURE, XENFORK_ALL)) <
            0 ||
        (rc = xenfork__special(job, &gfns, &count)) < 0)
        return rc;
    return xenfork__xen_capture(job->ctx, job->info.domid, gfns, count,
                                &job->capture);
}

static int snapshot_disks(struct xenfork__job *job)
{
    int rc;

    if ((rc = xenfork__job_enter(job, XENFORK_STAGE_DISKS, XENFORK_ALL)) < 0 ||
        (rc = xenfork__xen_drain(job->ctx, job->info.domid, DRAIN_TIMEOUT_MS)) <
            0)
        return rc;
    return xenfork__disks_snapshot(job->ctx, job->info.domid, job->image);
}

static int share(struct xenfork__job *job)
{
    int rc;

    if ((rc = xenfork__job_enter(job, XENFORK_STAGE_SHARE, XENFORK_ALL)) < 0 ||
        (rc = xenfork__mute(job->ctx, &job->mute)) < 0)
        return rc;
    rc = xenfork__precopy_complete(job);
    job->image->pages = job->ctx->counters[XENFORK_COUNT_PAGES_SHARED] +
                        job->ctx->counters[XENFORK_COUNT_PAGES_COPIED];
    return rc;
}

/*
 * Let the source run on, unless it is frozen; it keeps the right to its memory.
 * The stun ends.
 */
static int resume(struct xenfork__job *job)
{
    xenfork_ctx *ctx = job->ctx;
    uint32_t source = job->info.domid;
    int rc;

    xenfork__job_enter_firm(job, XENFORK_STAGE_RESUME, XENFORK_ALL);
    rc = xenfork__reservation_source(ctx, job->image->domid, source,
                                     &job->reservation);
    if (rc < 0 || job->frozen)
        return rc;
    if ((rc = xenfork__xen_resume(ctx, source)) < 0)
        return rc;
    job->result->ns[XENFORK_STAGE_STUN] = xenfork__now_ns() - job->asked_ns;
    if ((rc = xenfork__mute_end(ctx, job->journal, &job->mute)) < 0 ||
        (rc = xenfork__precopy_end(job)) < 0)
        return rc;
    return xenfork__journal_resumed(ctx, job->journal);
}

static int write_file(struct xenfork__job *job, const char *name,
                      const void *data, size_t bytes)
{
    cleanup_free char *path = xenfork__record_path(job->ctx, XENFORK_KIND_IMAGE,
                                                   job->image->uuid, name);

    if (!path)
        return xenfork__nomem(job->ctx);
    return xenfork__file_write(job->ctx, path, data, bytes);
}

static int seal_image(struct xenfork__job *job)
{
    xenfork_ctx *ctx = job->ctx;
    cleanup_free uint8_t *stream = NULL;
    size_t bytes;
    int rc;

    if ((rc = xenfork__job_enter(job, XENFORK_STAGE_SEAL, XENFORK_ALL)) < 0 ||
        (rc = xenfork__xen_image_load(ctx, job->image->domid, job->capture)) <
            0 ||
        (rc = xenfork__xen_image_trim(ctx, job->image->domid,
                                      job->config->max_kib)) < 0 ||
        (rc = xenfork__stream_build(ctx, job->capture, &stream, &bytes)) < 0 ||
        (rc = xenfork__record_save(ctx, job->image)) < 0 ||
        (rc = write_file(job, XENFORK__FILE_STREAM, stream, bytes)) < 0)
        return rc;
    return write_file(job, XENFORK__FILE_CONFIG, job->config->json,
                      strlen(job->config->json));
}

int xenfork__image_make(struct xenfork__job *job)
{
    int rc;

    if ((rc = reserve(job)) < 0 || (rc = prepare_image(job)) < 0)
        return rc;
    if ((rc = suspend(job)) < 0 || (rc = capture(job)) < 0 ||
        (rc = snapshot_disks(job)) < 0 || (rc = share(job)) < 0 ||
        (rc = resume(job)) < 0)
        return rc;
    return seal_image(job);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From an image to a clone. */
#include "op/job.h"

#include <fcntl.h>
#include <string.h>
#include <time.h>

#include "disk/disk.h"
#include "host/host.h"
#include "op/fast.h"
#include "op/guest.h"
#include "op/hydrate.h"
#include "op/saved-config.h"
#include "state/later.h"

static int new_clone_record(struct xenfork__job *job, uint32_t i,
                            struct xenfork__record **record_out)
{
    cleanup_record struct xenfork__record *record = calloc(1, sizeof(*record));
    const struct xenfork__identity *id = &job->ids[i];
    int rc;

    if (!record)
        return xenfork__nomem(job->ctx);
    record->kind = XENFORK_KIND_CLONE;
    memcpy(record->uuid, id->uuid, 16);
    memcpy(record->parent, job->image->uuid, 16);
    memcpy(record->image, job->image->uuid, 16);
    xenfork__record_set_domid(job->ctx, record, XENFORK_DOMID_NONE);
    record->name = strdup(id->name);
    record->parent_name = strdup(job->image->name);
    strcpy(record->journal, xenfork__journal_id(job->journal));
    record->created_s = job->before ? job->before->created_s
                                    : (uint64_t)time(NULL);
    record->pages = job->image->pages;
    if (job->spec->flags & XENFORK_FORK_NO_HYDRATE)
        record->hydrate = XENFORK__HYDRATE_NEVER;
    else if (job->spec->flags & XENFORK_FORK_AUTO_HYDRATE)
        record->hydrate = XENFORK__HYDRATE_AUTO;
    record->priority = job->spec->priority;
    record->reserved = job->reservation.asked_pages;
    if (job->spec->flags & XENFORK_FORK_EPHEMERAL)
        record->ephemeral = job->spec->flags & XENFORK_FORK_EPHEMERAL_CRASH
                                ? XENFORK__EPHEMERAL_CRASH
                                : XENFORK__EPHEMERAL_POWEROFF;
    if (!record->name || !record->parent_name)
        return xenfork__nomem(job->ctx);
    rc = xenfork__record_add_sources(job->ctx, record, job->image);
    if (rc == 0)
        rc = xenfork__generation_new(job->ctx, record->generation);
    if (rc < 0)
        return rc;
    *record_out = steal_ptr(record);
    return 0;
}

static bool is_nic_held(const struct xenfork__job *job, uint32_t i,
                        uint32_t nic)
{
    return xenfork__nic_link(&job->spec->clones[i], nic) !=
           XENFORK_LINK_CONNECT;
}

/* A clone, while all are made. */
struct xenfork__making {
    struct xenfork__record *record;
    struct xenfork__plan *plan; /* NULL: libxl's restore has made it */
    bool is_covered;            /* see xenfork__cover() */
};

static int fork_memory(struct xenfork__job *job, uint32_t i)
{
    struct xenfork__making *making = &job->makings[i];
    xenfork_ctx *ctx = job->ctx;
    uint32_t domid = making->record->domid;
    int rc;

    if ((rc = xenfork__job_enter(job, XENFORK_STAGE_FORK, i)) < 0 ||
        (rc = xenfork__xen_fork_memory(ctx, job->image->domid, domid)) < 0 ||
        /* The fork has copied the image's limit, which holds a claim. */
        (rc = xenfork__xen_set_max_pages(ctx, domid, job->max_pages)) < 0 ||
        (rc = xenfork__reservation_clone(ctx, job->image->domid, domid,
                                         &job->reservation)) < 0)
        return rc;
    return xenfork__cover(ctx, making->record, &job->reservation,
                          &making->is_covered);
}

struct populating {
    struct xenfork__job *job;
    uint32_t clone;
};

/* Give an HVM clone its memory: QEMU looks into it as soon as it runs. */
static int populate(void *opaque, uint32_t domid)
{
    struct populating *p = opaque;
    int rc;

    p->job->makings[p->clone].record->domid = domid;
    rc = fork_memory(p->job, p->clone);
    return rc < 0 ? rc
                  : xenfork__job_enter(p->job, XENFORK_STAGE_CREATE, p->clone);
}

/* Have libxl restore a domain from the image's stream, which has no pages. */
static int restore_clone(struct xenfork__job *job,
                         const struct xenfork__clone_config *config,
                         struct xenfork__record *record)
{
    xenfork_ctx *ctx = job->ctx;
    cleanup_free char *stream = NULL;
    cleanup_free char *json = NULL;
    cleanup_close int fd = -1;
    int rc;

    stream = xenfork__record_path(ctx, XENFORK_KIND_IMAGE, job->image->uuid,
                                  XENFORK__FILE_STREAM);
    if (!stream)
        return xenfork__nomem(ctx);
    fd = open(stream, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return xenfork__fail(ctx, XENFORK_E_STATE, errno, "cannot open %s",
                             stream);
    rc = xenfork__xen_restore(ctx, job->config, config, fd, &json,
                              &record->domid);
    return rc < 0 ? rc : xenfork__saved_config_write(ctx, record->uuid, json);
}

/* Make the domain.  plan_out: the fast way, which is to be finished */
static int create_clone(struct xenfork__job *job, uint32_t i,
                        struct xenfork__record *record,
                        struct xenfork__plan **plan_out)
{
    xenfork_ctx *ctx = job->ctx;
    cleanup_free struct xenfork__clone_disk *disks = NULL;
    struct populating populating = {.job = job, .clone = i};
    struct xenfork__clone_config config = {.name = record->name,
                                           .uuid = record->uuid,
                                           .nics = job->ids[i].nics,
                                           .populate = populate,
                                           .opaque = &populating};
    uint32_t n;
    int rc;

    for (n = 0; n < job->ids[i].nic_count; n++)
        job->ids[i].nics[n].is_held = is_nic_held(job, i, n);
    if ((rc = xenfork__job_enter(job, XENFORK_STAGE_CREATE, i)) < 0 ||
        (rc = xenfork__reservation_domain(ctx, job->image->domid,
                                          &job->reservation)) < 0 ||
        (rc = xenfork__disks_clone(ctx, job->spec, job->config, job->image,
                                   record, job->ids[i].disks, &disks)) < 0)
        return rc;
    config.disks = disks;
    if ((rc = xenfork__fast_plan(job, i, record, &config, plan_out)) < 0 ||
        (job->retire && (rc = job->retire(job)) < 0))
        return rc;
    return *plan_out ? xenfork__fast_create(job, *plan_out, record)
                     : restore_clone(job, &config, record);
}

/*
 * Attach the NICs.  A held link is up where its script was run: no frame has
 * passed.
 */
static int attach_nics(struct xenfork__job *job, uint32_t i,
                       struct xenfork__record *record)
{
    struct xenfork_clone *result = &job->result->clones[i];
    const struct xenfork__identity *id = &job->ids[i];
    uint32_t n;
    int rc;

    result->nics = calloc(id->nic_count + 1, sizeof(*result->nics));
    if (!result->nics)
        return xenfork__nomem(job->ctx);
    for (n = 0; n < id->nic_count; n++) {
        struct xenfork_nic *nic = &result->nics[n];
        int link = xenfork__nic_link(&job->spec->clones[i], n);

        xenfork__vif_print(record->domid, id->nics[n].devid, nic->vif);
        xenfork__mac_print(id->nics[n].mac, nic->mac);
        nic->link = link;
        nic->is_held = is_nic_held(job, i, n);
        result->nic_count = n + 1;
        rc = xenfork__record_add_nic(job->ctx, record, id->nics[n].devid,
                                     id->nics[n].mac, link);
        if (rc == 0 && job->before)
            record->nics[n].first = job->before->nics[n].first;
        if (rc < 0 || (is_nic_held(job, i, n) &&
                       (rc = xenfork__sys_hold(job->ctx, nic->vif)) < 0))
            return rc;
    }
    return 0;
}

/* Tell the clone of itself, and keep that to tell it again. */
static int tell(struct xenfork__job *job, uint32_t i,
                const struct xenfork__record *record)
{
    int rc;

    if (job->before)
        return xenfork__guest_again(job->ctx, record->domid, record);
    rc = xenfork__guest_keep(job->ctx, record->uuid, job->image, i,
                             &job->spec->clones[i]);
    return rc < 0 ? rc
                  : xenfork__guest_clone(job->ctx, record->domid,
                                         record->generation, job->image, i,
                                         &job->spec->clones[i]);
}

/*
 * Attach the clone; the domain is still paused: no frame has passed, and it has
 * read nothing.
 */
static int connect_clone(struct xenfork__job *job, uint32_t i,
                         struct xenfork__record *record,
                         struct xenfork__plan *plan)
{
    int rc;

    if ((rc = xenfork__job_enter(job, XENFORK_STAGE_ATTACH, i)) < 0 ||
        (plan && (rc = xenfork__fast_nics(job, i, plan, record->domid)) < 0) ||
        (rc = attach_nics(job, i, record)) < 0)
        return rc;
    return tell(job, i, record);
}

void xenfork__makings_free(struct xenfork__making *makings, uint32_t count)
{
    uint32_t i;

    for (i = 0; makings && i < count; i++) {
        xenfork__record_free(makings[i].record);
        xenfork__plan_free(makings[i].plan);
    }
    free(makings);
}

static int make_clone(struct xenfork__job *job, uint32_t i)
{
    struct xenfork__making *making = &job->makings[i];
    int rc;

    if ((rc = new_clone_record(job, i, &making->record)) < 0 ||
        (rc = create_clone(job, i, making->record, &making->plan)) < 0 ||
        (job->config->type != XENFORK__TYPE_HVM &&
         (rc = fork_memory(job, i)) < 0) ||
        !making->plan)
        return rc;
    return xenfork__fast_finish(job, making->plan, making->record);
}

static int complete(struct xenfork__job *job, uint32_t i)
{
    struct xenfork_clone *result = &job->result->clones[i];
    struct xenfork__record *record = job->makings[i].record;
    int rc;

    if ((rc = connect_clone(job, i, record, job->makings[i].plan)) < 0 ||
        (rc = xenfork__record_save(job->ctx, record)) < 0 ||
        /* The clone lacks pages for which the host may have no memory. */
        (!job->makings[i].is_covered &&
         ((rc = xenfork__job_enter(job, XENFORK_STAGE_HYDRATE, i)) < 0 ||
          (rc = xenfork__hydrate(job->ctx, record, 0)) < 0)))
        return rc;
    xenfork__job_account(job);
    result->domid = record->domid;
    snprintf(result->name, sizeof(result->name), "%s", record->name);
    xenfork__uuid_print(record->uuid, result->uuid);
    strcpy(result->generation, record->generation);
    result->ns[XENFORK_STAGE_TOTAL] = result->ns[XENFORK_STAGE_CREATE] +
                                      result->ns[XENFORK_STAGE_FORK] +
                                      result->ns[XENFORK_STAGE_ATTACH] +
                                      result->ns[XENFORK_STAGE_HYDRATE];
    return 0;
}

/*
 * Make all domains first: meanwhile the kernel makes the interfaces of their
 * NICs.
 */
int xenfork__clones_make(struct xenfork__job *job)
{
    uint32_t i;
    int rc = 0;

    job->makings = calloc(job->spec->count, sizeof(*job->makings));
    if (!job->makings)
        return xenfork__nomem(job->ctx);
    /* In a reset the record is the switch, not the journal's end. */
    if (!job->before)
        xenfork__sync_later(job->ctx);
    for (i = 0; i < job->spec->count && rc >= 0; i++)
        rc = make_clone(job, i);
    for (i = 0; i < job->spec->count && rc >= 0; i++)
        rc = complete(job, i);
    if (rc >= 0 &&
        (rc = xenfork__job_enter(job, XENFORK_STAGE_SEAL, XENFORK_ALL)) == 0)
        rc = xenfork__sync_all(job->ctx);
    xenfork__sync_forget(job->ctx);
    return rc;
}

/* Enter all that the clones are to have into the journal, not yet written. */
int xenfork__clones_announce(struct xenfork__job *job)
{
    uint32_t i;
    int rc = 0;

    /* One that was drawn is nobody's yet. */
    for (i = 0; i < job->spec->count && rc >= 0; i++)
        if (job->spec->clones[i].has_uuid)
            rc = xenfork__disks_check_new(job->ctx, job->spec, job->config,
                                          job->image, job->ids[i].disks);
    for (i = 0; i < job->spec->count && rc >= 0; i++)
        rc = xenfork__disks_announce(job->ctx, job->journal, job->spec,
                                     job->config, job->image,
                                     job->ids[i].disks);
    return rc;
}

int xenfork__clones_start(struct xenfork__job *job)
{
    uint32_t i;
    int rc = 0;

    for (i = 0; i < job->spec->count && rc >= 0; i++) {
        xenfork__job_enter_firm(job, XENFORK_STAGE_UNPAUSE, i);
        job->result->clones[i].start_ns = xenfork__now_ns();
        if (!job->spec->clones[i].is_paused)
            rc = xenfork__xen_unpause(job->ctx, job->result->clones[i].domid);
    }
    return rc;
}

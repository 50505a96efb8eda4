/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From an image to a clone. */
#include "op/clone.h"

#include <string.h>
#include <time.h>

#include "disk/disk.h"
#include "host/host.h"
#include "op/fast.h"
#include "op/guest.h"
#include "op/hydrate.h"
#include "op/saved-config.h"
#include "op/stream.h"

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

static int fork_memory(struct xenfork__job *job, uint32_t i)
{
    uint32_t domid = job->makings[i].record->domid;
    int rc;

    if ((rc = xenfork__job_enter(job, XENFORK_STAGE_FORK, i)) < 0 ||
        (rc = xenfork__xen_fork_memory(job->ctx, job->image->domid, domid)) < 0)
        return rc;
    /* The fork has copied the image's limit, which holds a claim. */
    return xenfork__xen_set_max_pages(job->ctx, domid, job->max_pages);
}

/*
 * Hand its reservation to a clone, and cover what it lacks: when it has the
 * pages that QEMU maps, which are not the guest's to write.
 */
static int claim_memory(struct xenfork__job *job, uint32_t i)
{
    struct xenfork__making *making = &job->makings[i];
    int rc = xenfork__reservation_clone(
        job->ctx, job->image->domid, making->record->domid, &job->reservation);

    return rc < 0 ? rc
                  : xenfork__cover(job->ctx, making->record, &job->reservation,
                                   &making->is_covered);
}

static int give_memory(struct xenfork__job *job, uint32_t i)
{
    int rc = fork_memory(job, i);

    return rc < 0 ? rc : claim_memory(job, i);
}

/* Give an HVM clone its memory: QEMU looks into it as soon as it runs. */
static int populate(void *opaque, uint32_t domid)
{
    struct xenfork__making *making = opaque;
    int rc;

    making->record->domid = domid;
    rc = give_memory(making->job, making->clone);
    return rc < 0 ? rc
                  : xenfork__job_enter(making->job, XENFORK_STAGE_CREATE,
                                       making->clone);
}

/* Have libxl restore a domain from the image's stream, which has no pages. */
static int begin_restore(struct xenfork__job *job,
                         const struct xenfork__clone_config *config,
                         struct xenfork__making *making)
{
    int fd, rc = xenfork__stream_open(job->ctx, job->image, &fd);

    if (rc < 0)
        return rc;
    return xenfork__xen_restore_begin(job->ctx, job->config, config, fd,
                                      &making->restore);
}

/* Make the domain in the fast way, or have libxl begin with it. */
static int create_clone(struct xenfork__job *job, uint32_t i)
{
    xenfork_ctx *ctx = job->ctx;
    struct xenfork__making *making = &job->makings[i];
    struct xenfork__record *record = making->record;
    cleanup_free struct xenfork__clone_disk *disks = NULL;
    struct xenfork__clone_config config = {.name = record->name,
                                           .uuid = record->uuid,
                                           .nics = job->ids[i].nics,
                                           .populate = populate,
                                           .opaque = making};
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
    if ((rc = xenfork__fast_plan(job, i, record, &config, &making->plan)) < 0 ||
        (job->retire && (rc = job->retire(job)) < 0))
        return rc;
    return making->plan ? xenfork__fast_create(job, making->plan, record)
                        : begin_restore(job, &config, making);
}

/* Start its QEMU, which loads its state beside all that follows. */
static int start_emulator(struct xenfork__job *job, uint32_t i)
{
    struct xenfork__making *making = &job->makings[i];
    int rc = xenfork__job_enter(job, XENFORK_STAGE_CREATE, i);

    making->is_loading = true;
    return rc < 0 ? rc : xenfork__fast_emulator(job, making->plan);
}

int xenfork__clone_begin(struct xenfork__job *job, uint32_t i)
{
    struct xenfork__making *making = &job->makings[i];
    int rc;

    making->job = job;
    making->clone = i;
    if ((rc = new_clone_record(job, i, &making->record)) < 0 ||
        (rc = create_clone(job, i)) < 0 || making->restore ||
        (rc = fork_memory(job, i)) < 0 ||
        (rc = making->plan->has_emulator ? start_emulator(job, i)
                                         : claim_memory(job, i)) < 0)
        return rc;
    return xenfork__fast_finish(job, making->plan, making->record);
}

static int end_restore(struct xenfork__job *job, uint32_t i)
{
    struct xenfork__making *making = &job->makings[i];
    struct xenfork__record *record = making->record;
    struct xenfork__restore *restore = steal_ptr(making->restore);
    cleanup_free char *json = NULL;
    int rc;

    if ((rc = xenfork__xen_restore_end(job->ctx, restore, &json,
                                       &record->domid)) < 0 ||
        (rc = xenfork__saved_config_write(job->ctx, record->uuid, json)) < 0 ||
        job->config->type == XENFORK__TYPE_HVM)
        return rc;
    return give_memory(job, i);
}

int xenfork__clone_serve(struct xenfork__job *job, uint32_t i)
{
    struct xenfork__making *making = &job->makings[i];
    bool is_done = false;
    int rc;

    xenfork__job_go_on(job, XENFORK_STAGE_CREATE, i);
    if (making->is_loading) {
        rc = xenfork__xen_fast_serve(job->ctx, making->plan, &is_done);
        making->is_loading = !is_done;
        return rc < 0 || !is_done ? rc : claim_memory(job, i);
    }
    rc = xenfork__xen_restore_serve(job->ctx, making->restore, &is_done);
    return rc < 0 || !is_done ? rc : end_restore(job, i);
}

int xenfork__clone_break_off(struct xenfork__job *job, uint32_t i)
{
    struct xenfork__making *making = &job->makings[i];
    struct xenfork__restore *restore = steal_ptr(making->restore);
    cleanup_free char *json = NULL;

    return xenfork__xen_restore_end(job->ctx, restore, &json,
                                    &making->record->domid);
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

int xenfork__clone_complete(struct xenfork__job *job, uint32_t i)
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

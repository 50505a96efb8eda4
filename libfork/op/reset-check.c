/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Check whether a clone can go back to where it was forked, and as what. */
#include "op/reset.h"

#include <string.h>

#include "op/domain.h"
#include "op/frozen.h"
#include "op/leave.h"
#include "op/named.h"
#include "op/recover.h"
#include "op/saved-config.h"
#include "op/source.h"

/*
 * Lock the clone: nobody detaches it meanwhile, nor does anything else with it.
 */
static int lock_clone(struct xenfork__reset *reset,
                      const struct xenfork__record *clone)
{
    xenfork_ctx *ctx = reset->job.ctx;
    char name[sizeof("detach-") + XENFORK__UUID_CHARS];
    char uuid[XENFORK__UUID_CHARS];
    int rc;

    xenfork__uuid_print(clone->uuid, uuid);
    snprintf(name, sizeof(name), "detach-%s", uuid);
    rc = xenfork__lock_take(ctx, name, false, &reset->detach_lock);
    if (rc == XENFORK_E_BUSY) {
        xenfork__fail(ctx, rc, 0, "%s is being detached", clone->name);
        return xenfork__remedy(ctx, "xl fork-detach --stop %s stops that",
                               clone->name);
    }
    if (rc == 0)
        rc = xenfork__lock_domain(ctx, clone->uuid, clone->name, &reset->lock);
    if (rc == 0 && xenfork__journal_exists(ctx, clone->journal))
        return xenfork__busy(ctx, clone->name);
    return rc;
}

static int take_clone(struct xenfork__reset *reset, const char *name)
{
    cleanup_record struct xenfork__record *record = NULL;
    xenfork_ctx *ctx = reset->job.ctx;
    int rc;

    if ((rc = xenfork__named(ctx, XENFORK_KIND_CLONE, name, &record)) < 0 ||
        (rc = lock_clone(reset, record)) < 0 ||
        (rc = xenfork__record_load(ctx, XENFORK_KIND_CLONE, record->uuid,
                                   &reset->clone)) < 0)
        return rc;
    reset->job.before = reset->clone;
    rc = xenfork__clone_domid(ctx, reset->clone, &reset->job.retired);
    ctx->domid = reset->job.retired;
    return rc == XENFORK_E_NOTFOUND ? 0 : rc;
}

static int say_come_back(xenfork_ctx *ctx, const char *name)
{
    return xenfork__remedy(ctx,
                           "bring it back, or end what uses its disks; or xl "
                           "fork-destroy %s",
                           name);
}

static int check_stays(xenfork_ctx *ctx, const struct xenfork__record *clone)
{
    if (!xenfork__is_leaving(ctx, clone))
        return xenfork__leave_check(ctx, clone, say_come_back);
    xenfork__fail(ctx, XENFORK_E_INUSE, 0, "clone %s is being %s", clone->name,
                  clone->left);
    return xenfork__remedy(ctx, "try again when that has ended");
}

/* Check that no other domain has its name: a stopped clone's is not kept. */
static int check_domain_name(const struct xenfork__reset *reset)
{
    xenfork_ctx *ctx = reset->job.ctx;
    const char *name = reset->clone->name;
    uint32_t domid;
    int rc = xenfork__xen_by_name(ctx, name, &domid);

    if (rc < 0 || domid == reset->job.retired)
        return rc == XENFORK_E_NOTFOUND ? 0 : rc;
    xenfork__fail(ctx, XENFORK_E_NAMETAKEN, 0,
                  "domain %u has the name of clone %s, and is not this clone",
                  domid, name);
    return xenfork__remedy(ctx, "xl rename that domain, or end it");
}

/* Check that nothing is made of the clone itself. */
static int check_leaf(xenfork_ctx *ctx, const struct xenfork__record *clone)
{
    cleanup_records struct xenfork__records images = {0};
    cleanup_record struct xenfork__record *frozen = NULL;
    size_t i;
    int rc = xenfork__frozen_load(ctx, clone->uuid, &frozen);

    if (rc == 0) {
        xenfork__fail(ctx, XENFORK_E_INUSE, 0, "clone %s is frozen",
                      clone->name);
        return xenfork__remedy(ctx, "xl fork-thaw %s first", clone->name);
    }
    if (rc != XENFORK_E_NOTFOUND ||
        (rc = xenfork__records_load(ctx, XENFORK_KIND_IMAGE, &images)) < 0)
        return rc;
    for (i = 0; i < images.count; i++)
        if (!memcmp(images.records[i]->parent, clone->uuid, 16)) {
            xenfork__fail(
                ctx, XENFORK_E_INUSE, 0,
                "clone %s was forked itself, and image %s is still there",
                clone->name, images.records[i]->name);
            return xenfork__remedy(ctx,
                                   "destroy its clones, and the image: xl "
                                   "fork-image-destroy %s",
                                   images.records[i]->name);
        }
    return 0;
}

static int no_image(xenfork_ctx *ctx, const struct xenfork__record *clone)
{
    xenfork__fail(ctx, XENFORK_E_NOTFOUND, 0,
                  "the image that clone %s was forked from is gone, and its "
                  "fork point with it",
                  clone->name);
    return xenfork__remedy(ctx, "fork the source anew; with xl fork "
                                "--keep-image the image stays whatever becomes "
                                "of its clones");
}

/* Find and lock the image: no sweep, and nobody else, removes it. */
static int take_image(struct xenfork__reset *reset)
{
    struct xenfork__job *job = &reset->job;
    int rc = xenfork__record_load(job->ctx, XENFORK_KIND_IMAGE,
                                  reset->clone->image, &job->image);

    if (rc == 0)
        rc = xenfork__record_info(job->ctx, job->image, &job->info);
    if (rc == 0)
        rc = xenfork__source_lock(job->ctx, &job->info, &job->image_lock);
    if (rc == 0) {
        job->max_pages = job->info.max_pages;
        return 0;
    }
    return rc == XENFORK_E_NOTFOUND ? no_image(job->ctx, reset->clone) : rc;
}

static const struct xenfork__record_disk *disk_at(
    const struct xenfork__record *record, uint32_t index)
{
    uint32_t i;

    for (i = 0; i < record->disk_count; i++)
        if (record->disks[i].index == index)
            return &record->disks[i];
    return NULL;
}

static bool has_shared(const struct xenfork__record *record, const char *vdev)
{
    uint32_t i;

    for (i = 0; i < record->shared_count; i++)
        if (!strcmp(record->shared[i].vdev, vdev))
            return true;
    return false;
}

/* Check that its disks are still overlays over the image's bases. */
static int check_attached(xenfork_ctx *ctx, const struct xenfork__record *clone,
                          const struct xenfork__record *image)
{
    bool is_detached = clone->detached == 100;
    uint32_t i;

    for (i = 0; i < clone->disk_count && !is_detached; i++) {
        const struct xenfork__record_disk *base = disk_at(
            image, clone->disks[i].index);

        is_detached = !base || strcmp(base->driver, clone->disks[i].driver) ||
                      (clone->disks[i].other && clone->disks[i].other[0]);
    }
    if (!is_detached)
        return 0;
    xenfork__fail(
        ctx, XENFORK_E_DISK, 0,
        "clone %s is detached, wholly or in part: it has no fork point any "
        "more",
        clone->name);
    return xenfork__remedy(ctx,
                           "fork its image, and destroy the clone: xl "
                           "fork %s",
                           image->name);
}

/* Leave out the disks that the clone was forked without. */
static int wish_disks(struct xenfork__reset *reset)
{
    const struct xenfork__job *job = &reset->job;
    xenfork_spec *spec = &reset->spec;
    uint32_t i;

    spec->disks = calloc(job->config->disk_count + 1, sizeof(*spec->disks));
    if (!spec->disks)
        return xenfork__nomem(job->ctx);
    for (i = 0; i < job->config->disk_count; i++) {
        const char *vdev = job->config->disks[i].vdev;
        bool was = disk_at(job->image, i) || has_shared(job->image, vdev);
        bool is = disk_at(reset->clone, i) || has_shared(reset->clone, vdev);
        struct xenfork__disk_spec *disk = &spec->disks[spec->disk_count];

        if (!was || is)
            continue;
        snprintf(disk->vdev, sizeof(disk->vdev), "%s", vdev);
        snprintf(disk->how, sizeof(disk->how), "%s", XENFORK__DISK_NONE);
        spec->disk_count++;
    }
    return 0;
}

/* Choose the links: as at the fork, but one that its user holds stays held. */
static int wish_nics(struct xenfork__reset *reset)
{
    const struct xenfork__record *clone = reset->clone;
    struct xenfork__clone_spec *spec = &reset->clone_spec;
    uint32_t n;

    spec->nics = calloc(clone->nic_count + 1, sizeof(*spec->nics));
    if (!spec->nics)
        return xenfork__nomem(reset->job.ctx);
    spec->nic_count = clone->nic_count;
    for (n = 0; n < clone->nic_count; n++) {
        spec->nics[n].nic = n;
        spec->nics[n].link = clone->nics[n].link == XENFORK_LINK_HOLD
                                 ? XENFORK_LINK_HOLD
                                 : clone->nics[n].first;
    }
    return 0;
}

/* Make the spec of the fork once more, but for what is chosen by it. */
static int make_spec(struct xenfork__reset *reset, uint32_t flags)
{
    const struct xenfork__record *clone = reset->clone;
    xenfork_spec *spec = &reset->spec;

    spec->count = 1;
    spec->clones = &reset->clone_spec;
    spec->clones->link = XENFORK_LINK_AUTO;
    spec->clones->is_paused = flags & XENFORK_RESET_PAUSED;
    spec->reserve = clone->reserved * XENFORK__PAGE_KIB;
    spec->priority = clone->priority;
    if (clone->hydrate == XENFORK__HYDRATE_NEVER)
        spec->flags |= XENFORK_FORK_NO_HYDRATE;
    else if (clone->hydrate == XENFORK__HYDRATE_AUTO)
        spec->flags |= XENFORK_FORK_AUTO_HYDRATE;
    if (clone->ephemeral >= XENFORK__EPHEMERAL_POWEROFF)
        spec->flags |= XENFORK_FORK_EPHEMERAL;
    if (clone->ephemeral == XENFORK__EPHEMERAL_CRASH)
        spec->flags |= XENFORK_FORK_EPHEMERAL_CRASH;
    reset->job.spec = spec;
    return wish_nics(reset);
}

/* Check the host's memory, of which the old domain's will be free. */
static int check_host_memory(const struct xenfork__reset *reset)
{
    struct xenfork__reservation less = reset->job.reservation;
    struct xenfork__dominfo info = {0};
    uint64_t own;
    int rc = 0;

    if (reset->job.retired != XENFORK_DOMID_NONE)
        rc = xenfork__xen_info(reset->job.ctx, reset->job.retired, &info);
    own = info.private_pages + info.claimed_pages;
    less.pages -= own < less.pages ? own : less.pages;
    return rc < 0 ? rc : xenfork__reservation_check(reset->job.ctx, &less);
}

/* Load what the clone has of its own: bridges and addresses of its NICs. */
static int load_kept(struct xenfork__reset *reset)
{
    xenfork_ctx *ctx = reset->job.ctx;
    cleanup_free char *json = NULL;
    int rc = xenfork__saved_config_read(ctx, reset->clone, &json);

    return rc < 0 ? rc : xenfork__xen_config_parse(ctx, json, &reset->kept);
}

int xenfork__reset_check(struct xenfork__reset *reset, const char *name,
                         uint32_t flags)
{
    struct xenfork__job *job = &reset->job;
    xenfork_ctx *ctx = job->ctx;
    int rc;

    if ((rc = xenfork__job_enter(job, XENFORK_STAGE_CHECK, XENFORK_ALL)) < 0 ||
        (rc = xenfork__recover_others(ctx)) < 0 ||
        (rc = take_clone(reset, name)) < 0 ||
        (rc = check_stays(ctx, reset->clone)) < 0 ||
        (rc = check_domain_name(reset)) < 0 ||
        (rc = check_leaf(ctx, reset->clone)) < 0 ||
        (rc = take_image(reset)) < 0 ||
        (rc = check_attached(ctx, reset->clone, job->image)) < 0 ||
        (rc = make_spec(reset, flags)) < 0 ||
        (rc = xenfork__image_load(job)) < 0 || (rc = wish_disks(reset)) < 0 ||
        (rc = load_kept(reset)) < 0)
        return rc;
    return check_host_memory(reset);
}

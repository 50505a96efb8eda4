/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "detach.h"

#include <fcntl.h>
#include <string.h>
#include <time.h>

#include "disk.h"
#include "files.h"
#include "hydrate.h"
#include "lock.h"
#include "named.h"
#include "recover.h"

#define STOP_FILE "stop-detach"

static void pace(const struct xenfork__detaching *job)
{
    uint64_t speed = xenfork__detach_speed(job);
    uint64_t due, now = xenfork__now_ns();
    struct timespec t;

    if (!speed)
        return;
    due = job->start_ns +
          (uint64_t)((double)job->moved_bytes / (double)speed * 1e9);
    if (due <= now)
        return;
    t = (struct timespec){.tv_sec = (time_t)((due - now) / 1000000000U),
                          .tv_nsec = (long)((due - now) % 1000000000U)};
    nanosleep(&t, NULL);
}

uint64_t xenfork__detach_speed(const struct xenfork__detaching *job)
{
    return job->kib_per_second * 1024;
}

/* The record as it is now.  NOTFOUND: the clone has been destroyed */
static int load(xenfork_ctx *ctx, const struct xenfork__detaching *job,
                struct xenfork__lock **lock_out, struct xenfork__node **now_out)
{
    int rc = xenfork__lock_take(ctx, XENFORK__LOCK_REGISTRY, true, lock_out);

    return rc < 0 ? rc
                  : xenfork__node_load(ctx, XENFORK_KIND_CLONE,
                                       job->clone->uuid, now_out);
}

static int save(xenfork_ctx *ctx, struct xenfork__detaching *job,
                uint32_t percent)
{
    cleanup_lock struct xenfork__lock *lock = NULL;
    cleanup_node struct xenfork__node *now = NULL;
    int rc = load(ctx, job, &lock, &now);

    if (rc < 0)
        return rc;
    now->detached = job->clone->detached = percent;
    if (percent == 100)
        now->hydrated = 100;
    return xenfork__node_save(ctx, now);
}

int xenfork__detach_step(xenfork_ctx *ctx, struct xenfork__detaching *job,
                         uint64_t done, uint64_t total, uint64_t moved)
{
    uint64_t share = total && done < total ? done * 100 / total : 100;
    uint32_t percent = (uint32_t)((job->part * 100 + share) / job->parts);
    int rc = xenfork__enter(ctx, XENFORK_STAGE_DETACH, 0, 0);

    if (rc < 0)
        return rc;
    if (access(job->stop_path, F_OK) == 0)
        return xenfork__fail(ctx, XENFORK_E_CANCELLED, 0,
                             "detaching %s has been stopped", job->clone->name);
    xenfork__progress(ctx, 0, percent, 100);
    job->moved_bytes += moved;
    pace(job);
    /* All of it is recorded only when true. */
    percent = percent < 100 ? percent : 99;
    return percent < job->clone->detached + 5 ? 0 : save(ctx, job, percent);
}

/* All that it has yet to get, so that no page is refused half-way. */
static int claim(xenfork_ctx *ctx, uint32_t domid,
                 const struct xenfork__dominfo *info)
{
    int rc;

    if (!info->shared_pages)
        return 0;
    rc = xenfork__xen_claim(ctx, domid,
                            info->private_pages + info->shared_pages);
    if (rc == XENFORK_E_HOSTMEM)
        xenfork__remedy(ctx, "free memory: detached, it needs all of its own");
    return rc;
}

/* Of what it had claimed before it has used some; the rest it still has. */
static void settle_claim(xenfork_ctx *ctx, uint32_t domid,
                         const struct xenfork__dominfo *before)
{
    __auto_type error = ctx->error;
    struct xenfork__dominfo now;
    uint64_t total = before->private_pages + before->claimed_pages;

    if (xenfork__xen_info(ctx, domid, &now) == 0)
        xenfork__xen_claim(ctx, domid, total > now.private_pages ? total : 0);
    ctx->error = error;
}

/* One batch of gfns: those that are there. */
static int unshare(xenfork_ctx *ctx, uint32_t domid, uint64_t first,
                   uint32_t count, uint32_t *seen_out)
{
    uint64_t gfns[XENFORK__BATCH];
    bool present[XENFORK__BATCH];
    uint32_t i, n = 0;
    int rc = xenfork__xen_present(ctx, domid, first, count, present);

    if (rc < 0)
        return rc;
    for (i = 0; i < count; i++)
        if (present[i])
            gfns[n++] = first + i;
    *seen_out = n;
    return n ? xenfork__xen_unshare(ctx, domid, gfns, n) : 0;
}

static int unshare_all(xenfork_ctx *ctx, struct xenfork__detaching *job,
                       uint32_t domid)
{
    uint64_t gfn, max_gfn, seen = 0;
    int rc = xenfork__xen_max_gfn(ctx, domid, &max_gfn);

    if (rc < 0)
        return rc;
    for (gfn = 0; gfn <= max_gfn; gfn += XENFORK__BATCH) {
        uint32_t n = 0, count = XENFORK__BATCH;

        if (max_gfn - gfn < count)
            count = (uint32_t)(max_gfn - gfn) + 1;
        if ((rc = unshare(ctx, domid, gfn, count, &n)) < 0)
            return rc;
        seen += n;
        if (!n && gfn + count <= max_gfn)
            continue; /* a hole */
        rc = xenfork__detach_step(ctx, job, seen, job->clone->pages,
                                  (uint64_t)n * XENFORK__PAGE_SIZE);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static int detach_memory(xenfork_ctx *ctx, struct xenfork__detaching *job,
                         uint32_t domid)
{
    struct xenfork__dominfo before, after;
    int rc;

    /* A forked page that has not come yet is in neither count. */
    if ((rc = xenfork__hydrate(ctx, job->clone, 0)) < 0 ||
        (rc = xenfork__xen_info(ctx, domid, &before)) < 0)
        return rc;
    rc = claim(ctx, domid, &before);
    if (rc == 0)
        rc = unshare_all(ctx, job, domid);
    settle_claim(ctx, domid, &before);
    if (rc < 0 || (rc = xenfork__xen_info(ctx, domid, &after)) < 0)
        return rc;
    if (!after.shared_pages)
        return 0;
    xenfork__fail(ctx, XENFORK_E_HOSTMEM, 0,
                  "domain %u: %llu of its pages are still shared", domid,
                  (unsigned long long)after.shared_pages);
    return xenfork__remedy(ctx, "free memory, unless it has been forked "
                                "meanwhile, and try again");
}

/* First where the domain would look for it, then where we do. */
static int record_move(xenfork_ctx *ctx, struct xenfork__detaching *job,
                       uint32_t domid, uint32_t disk, const char *path)
{
    cleanup_lock struct xenfork__lock *lock = NULL;
    cleanup_node struct xenfork__node *now = NULL;
    int rc = 0;

    if (domid != XENFORK_DOMID_NONE)
        rc = xenfork__xen_disk_moved(ctx, domid, job->clone->disks[disk].vdev,
                                     path);
    if (rc < 0 || (rc = load(ctx, job, &lock, &now)) < 0 ||
        (rc = xenfork__node_move_disk(ctx, now, disk, xenfork__disk_plain.name,
                                      path)) < 0)
        return rc;
    return xenfork__node_save(ctx, now);
}

static int detach_disk(xenfork_ctx *ctx, struct xenfork__detaching *job,
                       uint32_t domid, uint32_t i)
{
    const struct xenfork__node_disk *disk = &job->clone->disks[i];
    const struct xenfork__disk_driver *driver = NULL;
    cleanup_free char *moved = NULL;
    int rc = xenfork__disk_of_record(ctx, disk->driver, &driver);

    if (rc < 0 || !driver->detach)
        return rc;
    rc = driver->detach(
        ctx,
        &(struct xenfork__own){
            .domid = domid, .vdev = disk->vdev, .path = disk->path, .job = job},
        &moved);
    return rc == 0 && moved ? record_move(ctx, job, domid, i, moved) : rc;
}

static int detach_all(xenfork_ctx *ctx, struct xenfork__detaching *job)
{
    uint32_t i, domid = XENFORK_DOMID_NONE;
    int rc = xenfork__xen_by_uuid(ctx, job->clone->uuid, &domid);

    if (rc < 0 && rc != XENFORK_E_NOTFOUND)
        return rc;
    job->start_ns = xenfork__now_ns();
    job->parts = 1 + job->clone->disk_count;
    /* Restored since: another domain, that never had an image. */
    if (domid == job->clone->domid && (rc = detach_memory(ctx, job, domid)) < 0)
        return rc;
    for (i = 0; i < job->clone->disk_count; i++) {
        job->part++;
        if ((rc = detach_disk(ctx, job, domid, i)) < 0)
            return rc;
    }
    return save(ctx, job, 100);
}

/* One at a time; it may be forked and destroyed meanwhile. */
static int lock(xenfork_ctx *ctx, const struct xenfork__node *clone,
                struct xenfork__lock **lock_out)
{
    char name[sizeof("detach-") + XENFORK__UUID_CHARS];
    char uuid[XENFORK__UUID_CHARS];
    int rc;

    xenfork__uuid_print(clone->uuid, uuid);
    snprintf(name, sizeof(name), "detach-%s", uuid);
    rc = xenfork__lock_take(ctx, name, false, lock_out);
    if (rc != XENFORK_E_BUSY)
        return rc;
    xenfork__fail(ctx, rc, 0, "%s is being detached already", clone->name);
    return xenfork__remedy(ctx, "xl fork-info shows how far it is; xl "
                                "fork-detach --stop stops it");
}

static int find(xenfork_ctx *ctx, const char *name,
                struct xenfork__node **clone_out, char **stop_path_out)
{
    int rc;

    xenfork__begin(ctx, XENFORK_DOMID_NONE);
    if (!name)
        return xenfork__fail(ctx, XENFORK_E_INVAL, 0, "no name");
    rc = xenfork__named(ctx, XENFORK_KIND_CLONE, name, clone_out);
    if (rc < 0)
        return rc;
    ctx->domid = (*clone_out)->domid;
    *stop_path_out = xenfork__node_path(ctx, XENFORK_KIND_CLONE,
                                        (*clone_out)->uuid, STOP_FILE);
    return *stop_path_out ? 0 : xenfork__nomem(ctx);
}

XENFORK_API int xenfork_detach(xenfork_ctx *ctx, const char *name,
                               uint64_t kib_per_second)
{
    cleanup_node struct xenfork__node *clone = NULL;
    cleanup_free char *stop_path = NULL;
    int rc = find(ctx, name, &clone, &stop_path);

    if (rc < 0)
        return rc;
    {
        cleanup_lock struct xenfork__lock *held = NULL;

        if ((rc = lock(ctx, clone, &held)) < 0 ||
            (rc = xenfork__file_remove(ctx, stop_path)) < 0)
            return rc;
        rc = detach_all(ctx, &(struct xenfork__detaching){
                                 .clone = clone,
                                 .stop_path = stop_path,
                                 .kib_per_second = kib_per_second});
        if (rc < 0)
            return rc;
    }
    return xenfork__images_sweep(ctx);
}

XENFORK_API int xenfork_detach_stop(xenfork_ctx *ctx, const char *name)
{
    cleanup_node struct xenfork__node *clone = NULL;
    cleanup_free char *stop_path = NULL;
    int rc = find(ctx, name, &clone, &stop_path);

    return rc < 0 ? rc : xenfork__file_write(ctx, stop_path, "", 0);
}

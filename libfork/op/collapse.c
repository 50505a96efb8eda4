/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "op/collapse.h"

#include "disk/base.h"
#include "disk/collapse.h"
#include "disk/disk.h"
#include "host/host.h"
#include "op/leave.h"
#include "op/source.h"
#include "state/journal.h"
#include "state/lock.h"

/*
 * Journal it as a fork that is undone: the process that finds the journal of a
 * killed one does the same, and the source runs on.
 */
static int collapse_disk(xenfork_ctx *ctx, const struct xenfork__dominfo *info,
                         const struct xenfork__disk_driver *driver,
                         const struct xenfork__snapshot *snapshot)
{
    struct xenfork__journal *journal;
    int rc = xenfork__journal_begin(ctx, &journal);

    if (rc < 0)
        return rc;
    if ((rc = xenfork__journal_source(ctx, journal, info->uuid, info->domid,
                                      info->is_paused)) < 0 ||
        (rc = xenfork__journal_snapshot(
             ctx, journal, driver->name,
             &(struct xenfork__journal_disk){.path = snapshot->to,
                                             .vdev = snapshot->vdev,
                                             .from = snapshot->from})) < 0 ||
        (rc = xenfork__journal_stopping(ctx, journal, info->is_paused,
                                        info->cpu_ns)) < 0 ||
        (rc = driver->abort(ctx, snapshot)) < 0 ||
        (rc = xenfork__journal_commit(ctx, journal)) < 0)
        return xenfork__source_undo(ctx, journal, rc);
    return xenfork__base_sweep(ctx);
}

/*
 * Run @act, which stops the guest, under a journal; the process that finds the
 * journal resumes the guest
 */
static int with_journal(xenfork_ctx *ctx,
                        const struct xenfork__collapse_request *request,
                        xenfork__collapse_act *act, const void *arg)
{
    struct xenfork__dominfo info;
    struct xenfork__journal *journal;
    int rc;

    if ((rc = xenfork__xen_info(ctx, request->domid, &info)) < 0 ||
        (rc = xenfork__journal_begin(ctx, &journal)) < 0)
        return rc;
    if ((rc = xenfork__journal_source(ctx, journal, info.uuid, info.domid,
                                      info.is_paused)) < 0 ||
        (rc = xenfork__journal_stopping(ctx, journal, info.is_paused,
                                        info.cpu_ns)) < 0 ||
        (rc = act(ctx, arg)) < 0 ||
        (rc = xenfork__journal_commit(ctx, journal)) < 0)
        return xenfork__source_undo(ctx, journal, rc);
    return 0;
}

static const struct xenfork__collapse_ops ops = {
    .is_free = xenfork__base_is_free,
    .pair = xenfork__base_pair,
    .above = xenfork__base_above,
    .sweep = xenfork__base_sweep,
    .journal = with_journal,
};

static struct xenfork__collapse_request request_for(
    const struct xenfork__dominfo *info, const struct xenfork__disk *disk)
{
    return (struct xenfork__collapse_request){.domid = info->domid,
                                              .vdev = disk->vdev,
                                              .from = disk->path,
                                              .ops = &ops};
}

static int collapse_with(xenfork_ctx *ctx, const struct xenfork__dominfo *info,
                         const struct xenfork__disk_driver *driver,
                         const struct xenfork__disk *disk, bool *again_out)
{
    const struct xenfork__collapse_request request = request_for(info, disk);
    cleanup_free char *to = NULL;
    int rc = driver->collapse(ctx, &request, again_out, &to);

    if (rc < 0 || !to)
        return rc;
    return collapse_disk(ctx, info, driver,
                         &(struct xenfork__snapshot){.domid = info->domid,
                                                     .vdev = disk->vdev,
                                                     .from = disk->path,
                                                     .to = to});
}

static int coalesce_with(xenfork_ctx *ctx, const struct xenfork__dominfo *info,
                         const struct xenfork__disk_driver *driver,
                         const struct xenfork__disk *disk, bool *again_out)
{
    const struct xenfork__collapse_request request = request_for(info, disk);

    return driver->coalesce ? driver->coalesce(ctx, &request, again_out) : 0;
}

typedef int step_fn(xenfork_ctx *ctx, const struct xenfork__dominfo *info,
                    const struct xenfork__disk_driver *driver,
                    const struct xenfork__disk *disk, bool *again_out);

/*
 * Check that the path leads to the file that the domain has open: the result is
 * written there.
 */
static bool is_in_place(xenfork_ctx *ctx, const struct xenfork__dominfo *info,
                        const struct xenfork__disk *disk, int *rc)
{
    *rc = xenfork__disk_is_served(ctx, info->domid, disk->vdev, disk->path);
    if (*rc != XENFORK_E_DISK)
        return *rc == 0;
    LOG_WARN(
        ctx,
        "the chain of disk %s of domain %u is not shortened: %s is not the "
        "file that the domain has open, ignoring",
        disk->vdev, info->domid, disk->path);
    *rc = 0;
    return false;
}

static int each_disk(xenfork_ctx *ctx, const struct xenfork__dominfo *info,
                     const struct xenfork__config *config, step_fn *step,
                     bool *again_out)
{
    const struct xenfork__disk_driver *driver;
    uint32_t i;
    int rc = 0;

    for (i = 0; i < config->disk_count && rc >= 0; i++) {
        const struct xenfork__disk *disk = &config->disks[i];

        if (!disk->path || !disk->is_readwrite)
            continue;
        rc = xenfork__disk_collapser(ctx, disk, &driver);
        if (rc == 0 && driver && is_in_place(ctx, info, disk, &rc))
            rc = step(ctx, info, driver, disk, again_out);
    }
    return rc;
}

/* Make a step for every disk. */
static int turn(xenfork_ctx *ctx, const struct xenfork__dominfo *info,
                step_fn *step, bool *again_out)
{
    struct xenfork__config *config;
    int rc = xenfork__xen_config_get(ctx, info->domid, &config);

    if (rc < 0)
        return rc;
    rc = each_disk(ctx, info, config, step, again_out);
    xenfork__disks_hang_up(ctx);
    xenfork__config_free(config);
    return rc;
}

/* Tell whether another host may write to the disks of this domain. */
static int is_away(xenfork_ctx *ctx, const struct xenfork__dominfo *info,
                   bool *is_away_out)
{
    cleanup_record struct xenfork__record *clone = NULL;
    int rc = xenfork__record_load(ctx, XENFORK_KIND_CLONE, info->uuid, &clone);

    *is_away_out = false;
    if (rc < 0)
        return rc == XENFORK_E_NOTFOUND ? 0 : rc;
    return xenfork__may_be_away(ctx, clone, info->domid, is_away_out);
}

static int collapse_domain(xenfork_ctx *ctx, uint32_t domid, bool *again_out)
{
    struct xenfork__lock *lock = NULL;
    struct xenfork__dominfo info;
    bool is_elsewhere = false;
    int rc;

    xenfork__begin(ctx, domid);
    rc = xenfork__xen_info(ctx, domid, &info);
    if (rc == 0)
        rc = xenfork__source_lock(ctx, &info, &lock);
    if (rc == 0)
        rc = is_away(ctx, &info, &is_elsewhere);
    if (rc == 0 && !is_elsewhere)
        rc = turn(ctx, &info, collapse_with, again_out);
    xenfork__lock_drop(lock);
    if (rc == 0 && !is_elsewhere)
        rc = turn(ctx, &info, coalesce_with, again_out);
    /* The source is being forked, or a record is about to be written. */
    if (rc == XENFORK_E_BUSY)
        *again_out = true;
    return rc == XENFORK_E_BUSY || rc == XENFORK_E_NOTFOUND ? 0 : rc;
}

int xenfork__collapse(xenfork_ctx *ctx, const uint8_t source[16],
                      bool *again_out)
{
    uint32_t domid;
    int rc = xenfork__xen_by_uuid(ctx, source, &domid);

    *again_out = false;
    if (rc < 0)
        return rc == XENFORK_E_NOTFOUND ? 0 : rc;
    return collapse_domain(ctx, domid, again_out);
}

/*
 * Find the domain whose disk is backed by it now: perhaps another one of that
 * name.
 */
static int find_user(xenfork_ctx *ctx, const struct xenfork__base *base,
                     uint32_t *domid_out)
{
    int rc = xenfork__xen_by_uuid(ctx, base->source, domid_out);

    return rc == XENFORK_E_NOTFOUND
               ? xenfork__xen_by_name(ctx, base->name, domid_out)
               : rc;
}

int xenfork__collapse_all(xenfork_ctx *ctx, bool *again_out)
{
    cleanup_base struct xenfork__base_list list = {0};
    uint32_t domid, last = XENFORK_DOMID_NONE;
    size_t i;
    int rc = xenfork__base_load(ctx, &list);

    *again_out = false;
    for (i = 0; i < list.count && rc >= 0; i++) {
        rc = find_user(ctx, &list.items[i], &domid);
        if (rc == 0 && domid != last)
            rc = collapse_domain(ctx, domid, again_out);
        last = rc == 0 ? domid : last;
        if (rc == XENFORK_E_NOTFOUND)
            rc = 0;
    }
    return rc;
}

/* Tell whether two bases can become one. */
static int has_pair(xenfork_ctx *ctx, const struct xenfork__base *base,
                    bool *has_out)
{
    const struct xenfork__disk_driver *driver = xenfork__disk_driver(
        base->driver);
    cleanup_free char *upper = NULL;
    cleanup_free char *lower = NULL;
    int rc;

    if (!driver || !driver->coalesce)
        return 0;
    rc = xenfork__base_pair(ctx, base->from, &upper, &lower);
    *has_out = upper;
    return rc;
}

static int is_base_due(xenfork_ctx *ctx, const struct xenfork__base *base,
                       bool *is_out)
{
    uint32_t domid;
    int rc = find_user(ctx, base, &domid);

    if (rc == 0)
        rc = xenfork__base_is_free(ctx, base->path, base->from, is_out);
    if (rc == 0 && !*is_out)
        rc = has_pair(ctx, base, is_out);
    return rc == XENFORK_E_NOTFOUND ? 0 : rc;
}

int xenfork__collapse_is_due(xenfork_ctx *ctx, bool *is_out)
{
    cleanup_base struct xenfork__base_list list = {0};
    size_t i;
    int rc = xenfork__base_load(ctx, &list);

    *is_out = false;
    for (i = 0; i < list.count && rc >= 0 && !*is_out; i++)
        rc = is_base_due(ctx, &list.items[i], is_out);
    return rc;
}

static bool is_at_work(xenfork_ctx *ctx)
{
    cleanup_lock struct xenfork__lock *lock = NULL;

    return xenfork__lock_take(ctx, XENFORK__COLLAPSE_LOCK, false, &lock) ==
           XENFORK_E_BUSY;
}

void xenfork__collapse_begin(xenfork_ctx *ctx)
{
    cleanup_close int fd = -1;
    bool is_due = false;

    if (!ctx->is_batch && xenfork__collapse_is_due(ctx, &is_due) == 0 &&
        is_due && !is_at_work(ctx) &&
        xenfork__sys_keeper(ctx, XENFORK__KEEPER_COLLAPSE, &fd) < 0)
        LOG_WARN(ctx,
                 "the disk chains of a source are not shortened now, ignoring");
}

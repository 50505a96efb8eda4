/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A clone that has ended starts again, as the machine that it was. */
#include "base/internal.h"

#include <string.h>

#include "disk/disk.h"
#include "host/host.h"
#include "op/domain.h"
#include "op/leave.h"
#include "op/named.h"
#include "op/nic.h"
#include "op/recover.h"
#include "op/restarted.h"
#include "op/saved-config.h"
#include "op/source.h"
#include "state/journal.h"
#include "state/lock.h"

struct start {
    xenfork_ctx *ctx;
    struct xenfork__lock *lock;
    struct xenfork__record *clone;
    struct xenfork__journal *journal;
    char *json;
    uint32_t domid; /* what it starts as */
    int keeper_fd;
};

static int lock_stopped(struct start *start, const char *name)
{
    cleanup_record struct xenfork__record *record = NULL;
    xenfork_ctx *ctx = start->ctx;
    int rc = xenfork__named(ctx, XENFORK_KIND_CLONE, name, &record);

    if (rc < 0 ||
        (rc = xenfork__lock_domain(ctx, record->uuid, name, &start->lock)) < 0)
        return rc;
    if (xenfork__journal_exists(ctx, record->journal))
        return xenfork__busy(ctx, name);
    return xenfork__record_load(ctx, XENFORK_KIND_CLONE, record->uuid,
                                &start->clone);
}

static int refuse_domain(xenfork_ctx *ctx, const struct xenfork__record *clone,
                         const struct xenfork__dominfo *info, const char *name)
{
    if (strcmp(name, clone->name) != 0) {
        xenfork__fail(ctx, XENFORK_E_UUIDTAKEN, 0,
                      "clone %s cannot start: domain %u, called %s, has its "
                      "UUID",
                      clone->name, info->domid, name);
        return xenfork__remedy(ctx, "it may be the clone under another name; "
                                    "if not, xl shutdown it first");
    }
    if (info->is_shutdown) {
        xenfork__fail(ctx, XENFORK_E_BUSY, 0,
                      "clone %s has shut down, and its domain %u is still "
                      "there",
                      clone->name, info->domid);
        return xenfork__remedy(ctx, "xl destroy it (its disks stay), then "
                                    "start it; with xenforkd it goes by "
                                    "itself");
    }
    xenfork__fail(ctx, XENFORK_E_BUSY, 0, "clone %s runs already: domain %u%s",
                  clone->name, info->domid,
                  info->is_paused ? ", which is paused" : "");
    return xenfork__remedy(ctx, info->is_paused ? "xl unpause lets it run on"
                                                : "xl console leads to it");
}

static int check_no_domain(xenfork_ctx *ctx,
                           const struct xenfork__record *clone)
{
    cleanup_free char *name = NULL;
    struct xenfork__dominfo info;
    uint32_t domid;
    int rc = xenfork__clone_domid(ctx, clone, &domid);

    if (rc == 0)
        rc = xenfork__xen_info(ctx, domid, &info);
    if (rc < 0)
        return rc == XENFORK_E_NOTFOUND ? 0 : rc;
    rc = xenfork__xen_name(ctx, domid, &name);
    if (rc < 0 && rc != XENFORK_E_NOTFOUND)
        return rc;
    return refuse_domain(ctx, clone, &info, name ? name : clone->name);
}

static int check_name_free(xenfork_ctx *ctx,
                           const struct xenfork__record *clone)
{
    uint32_t domid;
    int rc = xenfork__xen_by_name(ctx, clone->name, &domid);

    if (rc < 0)
        return rc == XENFORK_E_NOTFOUND ? 0 : rc;
    xenfork__fail(
        ctx, XENFORK_E_NAMETAKEN, 0,
        "clone %s cannot start: domain %u, which is not this clone, has the "
        "name %s",
        clone->name, domid, clone->name);
    return xenfork__remedy(ctx, "xl rename that domain, or end it");
}

static int check_clone_disk(xenfork_ctx *ctx,
                            const struct xenfork__record *clone,
                            const struct xenfork__record_disk *disk)
{
    const char *file = xenfork__path_file(disk->path);

    if (file[0] != '/' || access(file, F_OK) == 0)
        return 0;
    xenfork__fail(ctx, XENFORK_E_DISK, errno,
                  "clone %s cannot start: its disk %s is missing: %s",
                  clone->name, disk->vdev, file);
    return xenfork__remedy(ctx, "mount the file system, or activate the volume "
                                "group, that it is on");
}

/* Correct a disk's path where a killed detach has changed only our record. */
static int correct_path(struct start *start,
                        const struct xenfork__config *config,
                        const struct xenfork__record_disk *disk)
{
    const struct xenfork__disk_driver *driver = NULL;
    struct xenfork__config_change change = {
        .vdev = disk->vdev, .path = xenfork__path_file(disk->path)};
    char *json;
    uint32_t i;
    int rc;

    for (i = 0; i < config->disk_count; i++)
        if (config->disks[i].vdev && config->disks[i].path &&
            !strcmp(config->disks[i].vdev, disk->vdev))
            break;
    if (i == config->disk_count ||
        !strcmp(xenfork__path_file(config->disks[i].path), change.path))
        return 0;
    rc = xenfork__disk_of_record(start->ctx, disk->driver, &driver);
    if (rc < 0)
        return rc;
    change.format = driver->format ? driver->format : "raw";
    rc = xenfork__xen_config_change(start->ctx, start->json, &change, &json);
    if (rc < 0)
        return rc;
    free(start->json);
    start->json = json;
    return 0;
}

/*
 * Load the configuration that was kept, with the name and the disks of today.
 */
static int load_start_config(struct start *start, uint32_t flags)
{
    cleanup_free char *kept = NULL;
    struct xenfork__config *config = NULL;
    uint32_t i;
    int rc;

    if ((rc = xenfork__saved_config_read(start->ctx, start->clone, &kept)) <
            0 ||
        (rc = xenfork__xen_config_change(
             start->ctx, kept,
             &(struct xenfork__config_change){.name = start->clone->name},
             &start->json)) < 0 ||
        (rc = xenfork__xen_config_parse(start->ctx, start->json, &config)) < 0)
        return rc;
    for (i = 0; i < start->clone->disk_count && rc >= 0; i++)
        rc = correct_path(start, config, &start->clone->disks[i]);
    for (i = 0; i < config->disk_count && rc >= 0; i++)
        if (!(flags & XENFORK_START_LEFT)) {
            rc = xenfork__shared_check_start(start->ctx, start->clone,
                                             &config->disks[i]);
            if (rc == XENFORK_E_INUSE)
                rc = xenfork__question(start->ctx);
        }
    xenfork__config_free(config);
    return rc;
}

static int advise_start(xenfork_ctx *ctx, const char *name)
{
    xenfork__remedy(ctx,
                    "make sure that nothing else uses its disks; then xl "
                    "fork-start --yes %s",
                    name);
    return xenfork__question(ctx);
}

static int check_start(struct start *start, const char *name, uint32_t flags)
{
    xenfork_ctx *ctx = start->ctx;
    const struct xenfork__record *clone;
    uint32_t i;
    int rc;

    if ((rc = xenfork__recover_others(ctx)) < 0 ||
        (rc = lock_stopped(start, name)) < 0)
        return rc;
    clone = start->clone;
    if ((rc = check_no_domain(ctx, clone)) < 0 ||
        (rc = check_name_free(ctx, clone)) < 0 ||
        (!(flags & XENFORK_START_LEFT) &&
         (rc = xenfork__leave_check(ctx, clone, advise_start)) < 0))
        return rc;
    for (i = 0; i < clone->disk_count && rc >= 0; i++)
        rc = check_clone_disk(ctx, clone, &clone->disks[i]);
    if (rc < 0 || (rc = load_start_config(start, flags)) < 0)
        return rc;
    rc = xenfork__xen_check_memory(ctx, start->json, XENFORK_DOMID_NONE);
    return rc == XENFORK_E_HOSTMEM
               ? xenfork__remedy(
                     ctx, "a clone that is started shares no memory; shut down "
                          "other domains, or make them smaller (xl mem-set)")
               : rc;
}

static int begin_start(struct start *start)
{
    xenfork_ctx *ctx = start->ctx;
    int rc;

    if ((rc = xenfork__journal_begin(ctx, &start->journal)) < 0 ||
        (rc = xenfork__journal_start(ctx, start->journal, start->clone->uuid)) <
            0)
        return rc;
    return xenfork__sys_keeper(ctx, xenfork__journal_id(start->journal),
                               &start->keeper_fd);
}

/* Leave out a NIC that was attached or replaced by hand (xl network-attach). */
static bool has_nic(const struct xenfork__config *config,
                    const struct xenfork__record_nic *nic)
{
    uint32_t i;

    for (i = 0; i < config->nic_count; i++)
        if (config->nics[i].devid == nic->devid &&
            !memcmp(config->nics[i].mac, nic->mac, 6))
            return true;
    return false;
}

/* Hold the NICs; the domain is still paused: no frame has passed. */
static int hold_nics(const struct start *start)
{
    const struct xenfork__record *clone = start->clone;
    struct xenfork__config *config = NULL;
    uint32_t i;
    int rc = xenfork__xen_config_parse(start->ctx, start->json, &config);

    for (i = 0; i < clone->nic_count && rc >= 0; i++)
        if (clone->nics[i].link != XENFORK_LINK_CONNECT &&
            has_nic(config, &clone->nics[i]))
            rc = xenfork__nic_hold(start->ctx, start->domid,
                                   clone->nics[i].devid);
    xenfork__config_free(config);
    return rc;
}

static int make_domain(struct start *start)
{
    xenfork_ctx *ctx = start->ctx;
    int rc;

    if ((rc = begin_start(start)) < 0 ||
        (rc = xenfork__xen_create(ctx, start->json,
                                  xenfork__journal_id(start->journal),
                                  &start->domid)) < 0)
        return rc;
    ctx->domid = start->domid;
    if ((rc = hold_nics(start)) < 0 ||
        (rc = xenfork__restarted_begin(
             ctx, start->clone->uuid, start->domid, NULL,
             xenfork__journal_id(start->journal))) < 0 ||
        (rc = xenfork__xen_unpause(ctx, start->domid)) < 0)
        return rc;
    xenfork__restarted_here(ctx, start->clone->uuid);
    rc = xenfork__source_commit(ctx, start->journal, start->keeper_fd);
    if (rc == 0) {
        start->journal = NULL;
        xenfork__restarted_done(ctx, start->clone->uuid);
    }
    return rc;
}

XENFORK_API int xenfork_clone_start(xenfork_ctx *ctx, const char *name,
                                    uint32_t flags, uint32_t *domid_out)
{
    struct start start = {.ctx = ctx, .keeper_fd = -1};
    int rc;

    xenfork__begin(ctx, XENFORK_DOMID_NONE);
    if (!name || !domid_out || (flags & ~XENFORK_START_LEFT))
        return xenfork__fail(ctx, XENFORK_E_INVAL, 0,
                             "no name or no domid, or flags");
    if ((rc = check_start(&start, name, flags)) == 0)
        rc = make_domain(&start);
    if (rc < 0 && start.journal)
        rc = xenfork__source_undo(ctx, start.journal, rc);
    if (rc == 0)
        *domid_out = start.domid;
    if (start.keeper_fd >= 0)
        close(start.keeper_fd);
    free(start.json);
    xenfork__record_free(start.clone);
    xenfork__lock_drop(start.lock);
    return rc;
}

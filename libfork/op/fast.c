/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "op/fast.h"

#include <string.h>

#include "base/ids.h"
#include "disk/disk.h"
#include "host/host.h"
#include "op/saved-config.h"
#include "op/stream.h"

/* Ask once for all clones; then job->slow says why, if they cannot. */
static int ask_is_fast(struct xenfork__job *job)
{
    if (job->fast || job->slow)
        return 0;
    return xenfork__xen_fast_open(job->ctx, job->config, &job->fast,
                                  &job->slow);
}

/* Return the driver that has made an overlay; NULL: none. */
static const struct xenfork__disk_driver *overlay_driver(
    const struct xenfork__record *record, const char *path)
{
    uint32_t i;

    for (i = 0; i < record->disk_count; i++)
        if (!strcmp(record->disks[i].path, path))
            return xenfork__disk_driver(record->disks[i].driver);
    return NULL;
}

static const char *object_to_disks(const struct xenfork__record *record,
                                   const struct xenfork__plan *plan)
{
    const struct xenfork__disk_driver *driver;
    uint32_t i;

    for (i = 0; i < plan->disk_count; i++) {
        driver = overlay_driver(record, plan->disks[i].path);
        if (!driver || (plan->disks[i].is_forks && !driver->attach))
            return "a process serves a disk";
    }
    return NULL;
}

int xenfork__fast_plan(struct xenfork__job *job, uint32_t i,
                       const struct xenfork__record *record,
                       const struct xenfork__clone_config *config,
                       struct xenfork__plan **plan_out)
{
    struct xenfork__plan *plan = NULL;
    const char *why;
    int rc;

    if ((rc = ask_is_fast(job)) < 0)
        return rc;
    why = job->slow;
    if (!why && (rc = xenfork__xen_fast_plan(job->ctx, job->fast, config, &plan,
                                             &why)) < 0)
        return rc;
    if (plan && (why = object_to_disks(record, plan))) {
        xenfork__plan_free(plan);
        plan = NULL;
    }
    job->result->clones[i].slow = why;
    *plan_out = plan;
    return 0;
}

static int serve_disk(xenfork_ctx *ctx, const struct xenfork__record *record,
                      struct xenfork__served *disk)
{
    const struct xenfork__disk_driver *driver = overlay_driver(record,
                                                               disk->path);

    return disk->is_forks
               ? driver->attach(ctx, disk->path, disk->is_readonly,
                                &disk->device)
               : xenfork__sys_serve(ctx, disk->path, disk->is_readonly,
                                    &disk->device);
}

/*
 * Make the domain.  A loop device goes with us until the domain's nodes name
 * it, by which an undone fork removes it.
 */
int xenfork__fast_create(struct xenfork__job *job, struct xenfork__plan *plan,
                         struct xenfork__record *record)
{
    xenfork_ctx *ctx = job->ctx;
    uint32_t i;
    int rc = 0;

    for (i = 0; i < plan->disk_count && rc >= 0; i++)
        rc = serve_disk(ctx, record, &plan->disks[i]);
    if (rc < 0 || (rc = xenfork__xen_fast_create(ctx, plan, job->image->domid,
                                                 &record->domid)) < 0)
        return rc;
    for (i = 0; i < plan->disk_count && rc >= 0; i++) {
        struct xenfork__device *device = &plan->disks[i].device;

        if (!device->is_loop)
            continue;
        rc = xenfork__sys_keep_loop(ctx, device->fd);
        close(device->fd); /* there may be a thousand clones */
        device->fd = -1;
    }
    return rc;
}

int xenfork__fast_finish(struct xenfork__job *job, struct xenfork__plan *plan,
                         const struct xenfork__record *record)
{
    cleanup_free char *json = NULL;
    int rc = xenfork__xen_fast_finish(job->ctx, plan, &json);

    return rc < 0 ? rc
                  : xenfork__saved_config_write(job->ctx, record->uuid, json);
}

int xenfork__fast_emulator(struct xenfork__job *job, struct xenfork__plan *plan)
{
    struct xenfork__emulator_state state = {.fd = -1};
    cleanup_close int fd = -1;
    cleanup_free char *nodes = NULL;
    int rc = xenfork__stream_open(job->ctx, job->image, &fd);

    if (rc < 0 || (rc = xenfork__stream_emulator(job->ctx, fd, &nodes,
                                                 &state.nodes_bytes)) < 0)
        return rc;
    state.fd = fd;
    state.nodes = nodes;
    return xenfork__xen_fast_emulator(job->ctx, plan, &state);
}

/* Make an interface a port of its NIC's bridge. */
static int join(struct xenfork__job *job, const char *interface, bool is_held,
                struct xenfork__plan_nic *nic)
{
    return xenfork__sys_join(job->ctx, interface, nic->bridge, is_held,
                             &nic->mtu);
}

int xenfork__fast_nics(struct xenfork__job *job, uint32_t i,
                       struct xenfork__plan *plan, uint32_t domid)
{
    char vif[XENFORK__VIF_CHARS], emulated[XENFORK__VIF_CHARS + 4];
    uint32_t n;
    int rc = 0;

    for (n = 0; n < plan->nic_count && rc >= 0; n++) {
        struct xenfork__plan_nic *nic = &plan->nics[n];
        bool is_held = job->ids[i].nics[n].is_held;

        xenfork__vif_print(domid, nic->devid, vif);
        snprintf(emulated, sizeof(emulated), "%s-emu", vif);
        rc = join(job, vif, is_held, nic);
        if (rc >= 0 && nic->is_emulated)
            rc = join(job, emulated, is_held, nic);
    }
    return rc < 0 || !plan->nic_count ? rc
                                      : xenfork__xen_fast_nics(job->ctx, plan);
}

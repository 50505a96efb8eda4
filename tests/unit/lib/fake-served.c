/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The programs that serve the disks of the fake's domains, and the rings. */
#include "config.h"

#include "fake-xen.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "base/internal.h"

int xenfork__xen_disk_served(xenfork_ctx *ctx, uint32_t domid, const char *vdev,
                             const char *path,
                             xenfork__device_number_fn *thin_number)
{
    const struct fake_domain *d = fake_domain(domid);
    uint64_t inode = 0;
    struct stat st;
    uint32_t i;

    (void)thin_number;
    FAKE_ENTER(ctx);
    if (!stat(path, &st))
        inode = st.st_ino;
    for (i = 0; d && !d->is_dying && i < d->disk_count; i++) {
        const struct fake_disk *disk = &d->disks[i];

        if (strcmp(disk->vdev, vdev) || disk->script[0] || disk->is_foreign)
            continue;
        if ((disk->in_use && disk->in_use != inode) ||
            (disk->is_moved_late && d->is_shutdown) ||
            (disk->top.node[0] && inode != disk->top.inode &&
             inode != disk->job.inode)) {
            xenfork__miss(ctx, XENFORK_E_DISK, "disk %s (%s) leads elsewhere",
                          vdev, path);
            return fake_leave(xenfork__remedy(ctx, "put it back"));
        }
    }
    return fake_leave(0);
}

void fake_begin_to_run(struct fake_domain *d)
{
    uint32_t i;

    for (i = 0; i < d->disk_count && !d->has_run; i++)
        d->disks[i].is_plugged = false;
    d->has_run = true;
}

int xenfork__xen_disk_is_emulated(xenfork_ctx *ctx, uint32_t domid,
                                  const char *path, bool *is_out)
{
    const struct fake_domain *d = fake_domain(domid);
    uint32_t i;

    *is_out = false;
    FAKE_ENTER(ctx);
    for (i = 0; d && d->type == XENFORK__TYPE_HVM && i < d->disk_count; i++)
        if (!strcmp(d->disks[i].path, path))
            *is_out = d->disks[i].is_plugged ||
                      (d->disks[i].is_plugged_late && d->is_shutdown);
    return fake_leave(0);
}

int xenfork__xen_disk_shared(xenfork_ctx *ctx, uint32_t domid,
                             const struct xenfork__disk *disk)
{
    const struct fake_domain *d;
    uint32_t i;

    FAKE_ENTER(ctx);
    for (d = fake->domains; d < fake->domains + FAKE_DOMAINS; d++)
        for (i = 0; d->domid && d->domid != domid && i < d->disk_count; i++)
            if (d->disks[i].is_readwrite && disk->path &&
                !strcmp(d->disks[i].path, disk->path)) {
                xenfork__miss(ctx, XENFORK_E_DISK,
                              "disk %s is shared with domain %u", disk->vdev,
                              d->domid);
                return fake_leave(xenfork__remedy(ctx, "detach it"));
            }
    return fake_leave(0);
}

int xenfork__xen_drain(xenfork_ctx *ctx, uint32_t domid, uint32_t timeout_ms)
{
    const struct fake_domain *d = fake_domain(domid);

    (void)timeout_ms;
    FAKE_ENTER(ctx);
    if (!d || d->is_dying || (!d->is_shutdown && !d->is_paused))
        return fake_leave(xenfork__fail(ctx, XENFORK_E_XEN, EINVAL,
                                        "cannot drain domain %u", domid));
    if (d->never_drains)
        return fake_leave(xenfork__fail(ctx, XENFORK_E_TIMEOUT, 0,
                                        "rings of domain %u do not drain",
                                        domid));
    return fake_leave(0);
}

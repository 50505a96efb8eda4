/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A disk that is detached is another file's from now on: in all records. */
#include "op/detach.h"

#include <string.h>

#include "xen/xen.h"

/* Find the disk of a clone that is being moved; NOTFOUND, not logged: none */
static int find_moved_disk(xenfork_ctx *ctx,
                           const struct xenfork__record *clone,
                           const struct xenfork__snapshot *snapshot,
                           uint32_t *disk_out)
{
    uint32_t i;

    for (i = 0; i < clone->disk_count; i++)
        if (!strcmp(clone->disks[i].path, snapshot->from) &&
            !strcmp(clone->disks[i].other, snapshot->to)) {
            *disk_out = i;
            return 0;
        }
    return xenfork__miss(ctx, XENFORK_E_NOTFOUND, "%s is not being moved",
                         snapshot->from);
}

static int swap_disk(xenfork_ctx *ctx, const uint8_t clone[16],
                     const struct xenfork__snapshot *snapshot)
{
    cleanup_lock struct xenfork__lock *lock = NULL;
    cleanup_record struct xenfork__record *now = NULL;
    uint32_t disk = 0;
    int rc = xenfork__lock_take(ctx, XENFORK__LOCK_REGISTRY, true, &lock);

    if (rc < 0 ||
        (rc = xenfork__record_load(ctx, XENFORK_KIND_CLONE, clone, &now)) < 0 ||
        (rc = find_moved_disk(ctx, now, snapshot, &disk)) < 0)
        return rc == XENFORK_E_NOTFOUND ? 0 : rc;
    xenfork__record_disk_swap(now, disk);
    return xenfork__record_save(ctx, now);
}

int xenfork__detach_switched(xenfork_ctx *ctx,
                             const struct xenfork__snapshot *snapshot)
{
    const char *dot = strrchr(snapshot->to, '.');
    struct xenfork__dominfo info;
    int rc;

    if ((rc = xenfork__xen_disk_moved(ctx, snapshot->domid, snapshot->vdev,
                                      snapshot->to, dot ? dot + 1 : "")) < 0 ||
        (rc = xenfork__xen_info(ctx, snapshot->domid, &info)) < 0)
        return rc;
    return swap_disk(ctx, info.uuid, snapshot);
}

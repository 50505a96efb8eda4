/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A disk that is detached is another file's from now on: in all records. */
#include "op/detach.h"

#include <string.h>

#include "xen/xen.h"

/* Find the disk of a clone that is being moved; NOTFOUND, not logged: none */
static int find(xenfork_ctx *ctx, const struct xenfork__node *clone,
                const struct xenfork__cut *cut, uint32_t *disk_out)
{
    uint32_t i;

    for (i = 0; i < clone->disk_count; i++)
        if (!strcmp(clone->disks[i].path, cut->from) &&
            !strcmp(clone->disks[i].other, cut->to)) {
            *disk_out = i;
            return 0;
        }
    return xenfork__miss(ctx, XENFORK_E_NOTFOUND, "%s is not being moved",
                         cut->from);
}

static int swap(xenfork_ctx *ctx, const uint8_t clone[16],
                const struct xenfork__cut *cut)
{
    cleanup_lock struct xenfork__lock *lock = NULL;
    cleanup_node struct xenfork__node *now = NULL;
    uint32_t disk = 0;
    int rc = xenfork__lock_take(ctx, XENFORK__LOCK_REGISTRY, true, &lock);

    if (rc < 0 ||
        (rc = xenfork__node_load(ctx, XENFORK_KIND_CLONE, clone, &now)) < 0 ||
        (rc = find(ctx, now, cut, &disk)) < 0)
        return rc == XENFORK_E_NOTFOUND ? 0 : rc;
    xenfork__node_disk_swap(now, disk);
    return xenfork__node_save(ctx, now);
}

int xenfork__detach_switched(xenfork_ctx *ctx, const struct xenfork__cut *cut)
{
    const char *dot = strrchr(cut->to, '.');
    struct xenfork__dominfo info;
    int rc;

    if ((rc = xenfork__xen_disk_moved(ctx, cut->domid, cut->vdev, cut->to,
                                      dot ? dot + 1 : "")) < 0 ||
        (rc = xenfork__xen_info(ctx, cut->domid, &info)) < 0)
        return rc;
    return swap(ctx, info.uuid, cut);
}

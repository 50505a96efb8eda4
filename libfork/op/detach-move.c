/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The journal of a disk that is made its own while it is in use, as that of a
 * fork: a keeper, or whoever finds it, has the driver settle what a killed
 * process has left, before the domain runs on.
 */
#include "op/detach.h"

#include <string.h>

#include "disk/disk.h"
#include "host/host.h"
#include "op/source.h"

int xenfork__move_begin(xenfork_ctx *ctx, const struct xenfork__own *own,
                        const char *driver, const char *to,
                        struct xenfork__move *move)
{
    struct xenfork__dominfo info = {.domid = XENFORK_DOMID_NONE};
    int rc;

    *move = (struct xenfork__move){.keeper_fd = -1};
    if (own->domid != XENFORK_DOMID_NONE &&
        (rc = xenfork__xen_info(ctx, own->domid, &info)) < 0)
        return rc;
    rc = xenfork__txn_begin(ctx, &move->txn);
    if (rc < 0)
        return rc;
    if ((rc = xenfork__sys_keeper(ctx, xenfork__txn_id(move->txn),
                                  &move->keeper_fd)) < 0 ||
        (rc = xenfork__txn_source(ctx, move->txn, own->job->clone->uuid,
                                  info.domid, info.is_paused)) < 0 ||
        (rc = xenfork__txn_disk(ctx, move->txn, driver, to, own->vdev,
                                own->path)) < 0)
        return xenfork__move_end(ctx, move, rc);
    return 0;
}

int xenfork__move_pausing(xenfork_ctx *ctx, const struct xenfork__own *own,
                          struct xenfork__move *move)
{
    struct xenfork__dominfo info;
    int rc = xenfork__xen_info(ctx, own->domid, &info);

    return rc < 0 ? rc : xenfork__txn_stopping(ctx, move->txn, info.is_paused,
                                             info.cpu_ns);
}

int xenfork__move_end(xenfork_ctx *ctx, struct xenfork__move *move, int rc)
{
    if (rc == 0)
        rc = xenfork__source_commit(ctx, move->txn, move->keeper_fd);
    if (rc < 0)
        rc = xenfork__source_undo(ctx, move->txn, rc);
    xenfork__close_fd(&move->keeper_fd);
    return rc;
}

/* Which of a clone's disks is being moved; NOTFOUND, not logged: none */
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

int xenfork__moved(xenfork_ctx *ctx, const struct xenfork__cut *cut)
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

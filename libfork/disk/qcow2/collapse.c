/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Shorten a source's chain while it runs.  A base that backs only the source
 * takes in what the source has written since (disk/qcow2/commit.c).  Where
 * clones need the bases and the chain is long, the source gets its own copies
 * of them.
 */
#include "disk/qcow2/driver.h"

#include <string.h>

#include "disk/collapse.h"
#include "disk/qcow2/header.h"

#define LONG_CHAIN 8U
#define MAX_DEPTH  4096U

static bool is_named_by_us(const char *path)
{
    return !strncmp(xenfork__qcow2_base(path), XENFORK__QCOW2_PREFIX,
                    strlen(XENFORK__QCOW2_PREFIX));
}

/*
 * Count the bases of xenfork that back the source, and return the lowest;
 * caller frees.
 */
static int measure_chain(xenfork_ctx *ctx, const char *leaf,
                         uint32_t *depth_out, char **lowest_out)
{
    cleanup_free char *lowest = NULL;
    cleanup_free char *path = strdup(leaf);
    uint32_t depth;

    if (!path)
        return xenfork__nomem(ctx);
    for (depth = 0; depth < MAX_DEPTH; depth++) {
        char *parent = NULL;
        int rc = xenfork__qcow2_parent(ctx, path, &parent);

        if (rc < 0)
            return rc;
        free(path);
        path = parent;
        if (!path || !is_named_by_us(path))
            break;
        free(lowest);
        lowest = strdup(path);
        if (!lowest)
            return xenfork__nomem(ctx);
    }
    *depth_out = depth;
    *lowest_out = steal_ptr(lowest);
    return 0;
}

/* Give the source its own copies of the files between, which clones need. */
static int shorten(xenfork_ctx *ctx, const struct xenfork__snapshot *snapshot,
                   const char *parent, bool *again_out)
{
    cleanup_qemu_top struct xenfork__qemu_top top = {.node = ""};
    cleanup_free char *lowest = NULL;
    char id[XENFORK__QEMU_NAME];
    uint32_t depth;
    int rc = measure_chain(ctx, snapshot->from, &depth, &lowest);

    if (rc < 0 || depth + 1 < LONG_CHAIN)
        return rc;
    if ((rc = xenfork__sys_qemu_top(ctx, snapshot->domid, snapshot->vdev,
                                    &top)) < 0 ||
        (rc = xenfork__qcow2_id(ctx, XENFORK__QCOW2_COPY, parent,
                                snapshot->vdev, id)) < 0 ||
        (rc = xenfork__sys_qemu_sweep(ctx, snapshot->domid, snapshot->vdev,
                                      top.node)) < 0 ||
        (rc = xenfork__sys_qemu_stream(ctx, snapshot->domid, &top, id, depth,
                                       xenfork__qcow2_base(lowest))) < 0)
        return rc;
    *again_out = true;
    return 0;
}

struct begin {
    const struct xenfork__snapshot *snapshot;
    const char *id;
};

/* Begin to commit, which stops the guest. */
static int begin_commit(xenfork_ctx *ctx, const void *arg)
{
    const struct begin *b = arg;
    cleanup_qemu_top struct xenfork__qemu_top top = {.node = ""};
    int rc = xenfork__sys_qemu_top(ctx, b->snapshot->domid, b->snapshot->vdev,
                                   &top);

    return rc < 0 ? rc : xenfork__qcow2_begin(ctx, b->snapshot, &top, b->id);
}

/* Make a step for a source that is backed by @parent, which is ours. */
static int commit_one(xenfork_ctx *ctx,
                      const struct xenfork__collapse_request *request,
                      const struct xenfork__snapshot *snapshot, char **parent,
                      bool *again_out, char **to_out)
{
    struct xenfork__snapshot below = *snapshot;
    struct xenfork__qemu_job_info job;
    char id[XENFORK__QEMU_NAME];
    bool is_free = false;
    int rc;

    if ((rc = xenfork__qcow2_id(ctx, XENFORK__QCOW2_COMMIT, *parent,
                                snapshot->vdev, id)) < 0 ||
        (rc = xenfork__sys_qemu_job(ctx, snapshot->domid, snapshot->vdev,
                                    &job)) < 0)
        return rc;
    if (job.state == XENFORK__QEMU_JOB_RUNNING) {
        *again_out = true;
        return 0;
    }
    rc = request->ops->is_free(ctx, *parent, snapshot->from, &is_free);
    if (rc < 0)
        return rc;
    if (job.state == XENFORK__QEMU_JOB_READY) {
        if (!is_free || strcmp(job.id, id))
            return xenfork__sys_qemu_cancel(ctx, snapshot->domid,
                                            snapshot->vdev);
        *to_out = steal_ptr(*parent);
        *again_out = true;
        return 0;
    }
    if (!is_free)
        return shorten(ctx, snapshot, *parent, again_out);
    *again_out = true;
    below.to = *parent;
    return request->ops->journal(ctx, request, begin_commit,
                                 &(struct begin){.snapshot = &below, .id = id});
}

int xenfork__qcow2_collapse(xenfork_ctx *ctx,
                            const struct xenfork__collapse_request *request,
                            bool *again_out, char **to_out)
{
    cleanup_free char *parent = NULL;
    cleanup_free char *real = NULL;
    struct xenfork__snapshot followed = {
        .domid = request->domid, .vdev = request->vdev, .from = request->from};
    int rc = xenfork__qcow2_follow(ctx, &followed, &real);

    if (rc == 0)
        rc = xenfork__qcow2_parent(ctx, followed.from, &parent);
    if (rc < 0 || !parent || !is_named_by_us(parent))
        return rc;
    return commit_one(ctx, request, &followed, &parent, again_out, to_out);
}

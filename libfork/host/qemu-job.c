/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * QEMU copies a disk, and writes to both from then on: what is in both is
 * never behind.
 *
 * QEMU mishandles a write of the guest's that comes while the job begins
 * (block/mirror.c).  7.2 looks for it in a bitmap that is not there yet, and
 * dies; since 8.1 (commit 32a9a26d) it is neither copied nor noted where the
 * job has looked before, and so is lost.  So the guest stands still until the
 * job has begun, which the amount of its work tells: that is set after all
 * else (mirror_run()).
 */
#include "host/qmp.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

#define LIMIT_MS 60000U
#define POLL_NS  2000000L

static bool has_begun(const struct xenfork__qemu_job_info *job)
{
    return job->total || job->state != XENFORK__QEMU_JOB_RUNNING;
}

static int wait_begun(xenfork_ctx *ctx, uint32_t domid, const char *id)
{
    uint64_t end_ns = xenfork__now_ns() + LIMIT_MS * 1000000ULL;
    const char *vdev = strrchr(id, '-') + 1;
    struct xenfork__qemu_job_info job;
    int rc;

    while ((rc = xenfork__sys_qemu_job(ctx, domid, vdev, &job)) == 0 &&
           !has_begun(&job)) {
        if (xenfork__now_ns() >= end_ns)
            return xenfork__fail(ctx, XENFORK_E_DISK, 0,
                                 "QEMU of domain %u does not begin to copy "
                                 "disk %s",
                                 domid, vdev);
        xenfork__sleep_ns(POLL_NS);
    }
    if (rc == 0 && job.state == XENFORK__QEMU_JOB_NONE)
        return xenfork__fail(ctx, XENFORK_E_DISK, 0,
                             "QEMU of domain %u cannot copy disk %s", domid,
                             vdev);
    return rc;
}

/* Begin to mirror the disk; @sync: how much of it, in QEMU's words. */
static int begin_mirror(xenfork_ctx *ctx, uint32_t domid,
                        const struct xenfork__qemu_top *top, const char *id,
                        const char *sync, uint64_t bytes_per_second)
{
    int rc = xenfork__qmp_run(
        ctx, domid, "blockdev-mirror",
        "{\"job-id\":\"%s\",\"device\":\"%s\",\"target\":\"%s\","
        "\"sync\":\"%s\",\"copy-mode\":\"write-blocking\","
        "\"speed\":%" PRIu64 "}",
        id, top->node, id, sync, bytes_per_second);

    return rc < 0 ? rc : wait_begun(ctx, domid, id);
}

static int mirror_to(xenfork_ctx *ctx, uint32_t domid,
                     const struct xenfork__qemu_top *top, const char *id,
                     const struct xenfork__image_file *to, const char *sync,
                     uint64_t bytes_per_second)
{
    int rc;

    /* Remove the node of an earlier job for the same file. */
    if ((rc = xenfork__sys_qemu_remove(ctx, domid, id)) < 0 ||
        (rc = xenfork__qmp_add(ctx, domid, id, to, top->is_direct, "")) < 0)
        return rc;
    rc = begin_mirror(ctx, domid, top, id, sync, bytes_per_second);
    if (rc < 0) {
        keep_error struct xenfork__kept kept = xenfork__keep(ctx);

        xenfork__sys_qemu_remove(ctx, domid, id);
    }
    return rc;
}

int xenfork__sys_qemu_commit(xenfork_ctx *ctx, uint32_t domid,
                             const struct xenfork__qemu_top *top,
                             const char *id, const char *path)
{
    const struct xenfork__image_file to = {.path = path, .format = "qcow2"};

    return mirror_to(ctx, domid, top, id, &to, "top", 0);
}

int xenfork__sys_qemu_mirror(xenfork_ctx *ctx, uint32_t domid,
                             const struct xenfork__qemu_top *top,
                             const char *id,
                             const struct xenfork__image_file *to,
                             uint64_t bytes_per_second)
{
    return mirror_to(ctx, domid, top, id, to, "full", bytes_per_second);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Detach a clone's qcow2 file from its base while the clone runs: QEMU copies
 * the base into it, or everything into another file.  In the latter case writes
 * go to both files, and the guest stands still while QEMU begins, and while
 * QEMU and the records switch.
 */
#include "disk/qcow2/driver.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "disk/detach.h"
#include "disk/qcow2/header.h"
#include "host/host.h"
#include "state/files.h"

/* Between two looks at a job: soon at first, for a small disk. */
#define FIRST_POLL_NS 2000000U
#define LAST_POLL_NS  200000000U

/*
 * Return what counts for the limit of speed: a job passes over what is empty.
 */
static uint64_t moved(const struct xenfork__detach_request *request,
                      uint64_t bytes, uint32_t poll_ns)
{
    uint64_t speed = request->bytes_per_second;
    uint64_t most = speed / (1000000000U / poll_ns);

    return speed && bytes > most ? most : bytes;
}

/*
 * Watch the job as long as it works; others may ask the guest's QEMU meanwhile.
 */
static int watch_job(xenfork_ctx *ctx,
                     const struct xenfork__detach_request *request,
                     const char *id, struct xenfork__qemu_job_info *job)
{
    uint32_t poll_ns = FIRST_POLL_NS;
    uint64_t before = 0;
    int rc;

    while ((rc = xenfork__sys_qemu_job(ctx, request->domid, request->vdev,
                                       job)) == 0 &&
           job->state == XENFORK__QEMU_JOB_RUNNING && !strcmp(job->id, id)) {
        uint64_t step = job->done > before ? job->done - before : 0;

        xenfork__sys_qemu_close(ctx);
        rc = xenfork__request_step(ctx, request, job->done, job->total,
                                   moved(request, step, poll_ns));
        if (rc < 0)
            return rc;
        before = job->done;
        xenfork__sleep_ns(poll_ns);
        poll_ns = poll_ns < LAST_POLL_NS / 2 ? 2 * poll_ns : LAST_POLL_NS;
    }
    return rc;
}

/* Cancel a job that is not ours, or not wanted any more. */
static void cancel_job(xenfork_ctx *ctx,
                       const struct xenfork__detach_request *request)
{
    cleanup_qemu_top struct xenfork__qemu_top top = {.node = ""};
    keep_error struct xenfork__kept kept = xenfork__keep(ctx);

    if (xenfork__sys_qemu_cancel(ctx, request->domid, request->vdev) < 0 ||
        xenfork__sys_qemu_top(ctx, request->domid, request->vdev, &top) < 0 ||
        xenfork__sys_qemu_sweep(ctx, request->domid, request->vdev, top.node) <
            0)
        LOG_WARN(ctx, "the copy of disk %s goes on, ignoring", request->path);
}

/*
 * Take over the job that a killed process has begun; is_there_out: it goes on.
 */
static int adopt(xenfork_ctx *ctx,
                 const struct xenfork__detach_request *request, const char *id,
                 bool *is_there_out)
{
    struct xenfork__qemu_job_info job;
    int rc = xenfork__sys_qemu_job(ctx, request->domid, request->vdev, &job);

    *is_there_out = false;
    if (rc < 0 || job.state == XENFORK__QEMU_JOB_NONE)
        return rc;
    if (strcmp(job.id, id))
        return xenfork__sys_qemu_cancel(ctx, request->domid, request->vdev);
    *is_there_out = true;
    return xenfork__sys_qemu_speed(ctx, request->domid, id,
                                   request->bytes_per_second);
}

/* Check that the file has no backing file any more, and flush it. */
static int check_flat(xenfork_ctx *ctx,
                      const struct xenfork__detach_request *request)
{
    cleanup_qcow2 struct xenfork__qcow2 qcow2 = {0};
    int rc = xenfork__qcow2_read(ctx, request->path, &qcow2);

    if (rc < 0)
        return rc == XENFORK_E_STATE
                   ? rc
                   : xenfork__fail(ctx, XENFORK_E_DISK, 0,
                                   "%s is no longer a qcow2 file",
                                   request->path);
    if (!qcow2.backing)
        return xenfork__sys_disk_flush(ctx, request->path);
    xenfork__fail(
        ctx, XENFORK_E_DISK, 0,
        "QEMU of domain %u has not copied all of the backing file of %s",
        request->domid, request->path);
    return xenfork__remedy(ctx, "make room there, and try again");
}

static int is_flat(xenfork_ctx *ctx,
                   const struct xenfork__detach_request *request, bool *is_out)
{
    cleanup_qcow2 struct xenfork__qcow2 qcow2 = {0};
    int rc = xenfork__qcow2_read(ctx, request->path, &qcow2);

    *is_out = rc == 0 && !qcow2.backing;
    return rc == 0 || rc == XENFORK_E_STATE
               ? rc
               : xenfork__fail(ctx, XENFORK_E_DISK, 0,
                               "%s cannot be read as a qcow2 file",
                               request->path);
}

static int flatten_live(xenfork_ctx *ctx,
                        const struct xenfork__detach_request *request,
                        const struct xenfork__qemu_top *top)
{
    struct xenfork__qemu_job_info job;
    char id[XENFORK__QEMU_NAME];
    bool is_there;
    int rc;

    xenfork__qcow2_path_id(XENFORK__QCOW2_FLAT, request->path, request->vdev,
                           id);
    if ((rc = adopt(ctx, request, id, &is_there)) < 0 ||
        (!is_there &&
         (rc = xenfork__sys_qemu_flatten(ctx, request->domid, top, id,
                                         request->bytes_per_second)) < 0))
        return rc;
    rc = watch_job(ctx, request, id, &job);
    if (rc < 0)
        return rc;
    rc = check_flat(ctx, request);
    return rc < 0 ? rc
                  : xenfork__sys_qemu_sweep(ctx, request->domid, request->vdev,
                                            top->node);
}

static int flatten_offline(xenfork_ctx *ctx,
                           const struct xenfork__detach_request *request)
{
    int rc = xenfork__sys_flatten(
        ctx, &(struct xenfork__copy){.src = request->path,
                                     .src_format = "qcow2",
                                     .step = xenfork__request_heard,
                                     .opaque = (void *)request});

    return rc < 0 ? rc : check_flat(ctx, request);
}

/* Tell whether the disk is already served from its new file. */
int xenfork__qcow2_detach_recover(xenfork_ctx *ctx,
                                  const struct xenfork__snapshot *snapshot,
                                  bool *is_switched_out)
{
    cleanup_qemu_top struct xenfork__qemu_top top = {.node = ""};
    char id[XENFORK__QEMU_NAME];
    int rc;

    *is_switched_out = false;
    if (snapshot->domid == XENFORK_DOMID_NONE)
        return 0;
    rc = xenfork__sys_qemu_top(ctx, snapshot->domid, snapshot->vdev, &top);
    xenfork__qcow2_path_id(XENFORK__QCOW2_MOVE, snapshot->to, snapshot->vdev,
                           id);
    *is_switched_out = rc == 0 && !strcmp(top.node, id);
    if (rc == 0 && !*is_switched_out)
        rc = xenfork__sys_qemu_cancel(ctx, snapshot->domid, snapshot->vdev);
    return rc == XENFORK_E_NOTFOUND ? 0 : rc;
}

/* Switch while the guest stands still, and change the path in all records. */
static int go_over_stopped(xenfork_ctx *ctx,
                           const struct xenfork__detach_request *request,
                           const char *id)
{
    cleanup_qemu_top struct xenfork__qemu_top top = {.node = ""};
    int rc;

    if ((rc = xenfork__sys_qemu_flush(ctx, request->domid, id)) < 0 ||
        (rc = xenfork__sys_disk_flush(ctx, request->to)) < 0 ||
        (rc = xenfork__names_sync(ctx, request->to)) < 0 ||
        (rc = xenfork__sys_qemu_complete(ctx, request->domid, request->vdev,
                                         id)) < 0 ||
        (rc = xenfork__sys_qemu_top(ctx, request->domid, request->vdev, &top)) <
            0)
        return rc;
    return strcmp(top.node, id) ? 0 : request->ops->switched(ctx, request);
}

static int pivot(xenfork_ctx *ctx,
                 const struct xenfork__detach_request *request, const void *arg)
{
    bool has_paused = false;
    int rc;

    if ((rc = xenfork__qcow2_stop(ctx, request->domid, &has_paused)) == 0 &&
        (rc = go_over_stopped(ctx, request, arg)) == 0 && has_paused)
        rc = xenfork__xen_unpause(ctx, request->domid);
    return rc;
}

static int pivot_to_copy(xenfork_ctx *ctx,
                         const struct xenfork__detach_request *request,
                         const char *id)
{
    int rc;

    if ((rc = request->ops->stays(ctx, request)) < 0 ||
        (rc = request->ops->journal(ctx, request, request->to, true, pivot,
                                    id)) < 0)
        return rc;
    return xenfork__sys_qemu_sweep(ctx, request->domid, request->vdev, id);
}

struct mirror {
    const struct xenfork__detach_request *request;
    const struct xenfork__qemu_top *top;
    const char *id;
};

static int mirror_disk(xenfork_ctx *ctx, const void *opaque)
{
    const struct mirror *m = opaque;
    const struct xenfork__image_file to = {.path = m->request->to,
                                           .format = m->request->format};

    return xenfork__sys_qemu_mirror(ctx, m->request->domid, m->top, m->id, &to,
                                    m->request->bytes_per_second);
}

static int begin_stopped(xenfork_ctx *ctx,
                         const struct xenfork__detach_request *request,
                         const void *arg)
{
    return xenfork__qcow2_copy(ctx, request->domid, request->vdev, mirror_disk,
                               arg);
}

static int begin_move(xenfork_ctx *ctx,
                      const struct xenfork__detach_request *request,
                      const struct xenfork__qemu_top *top, const char *id)
{
    cleanup_qcow2 struct xenfork__qcow2 qcow2 = {0};
    const struct xenfork__image_file to = {.path = request->to,
                                           .format = request->format};
    const struct mirror m = {.request = request, .top = top, .id = id};
    int rc;

    if ((rc = xenfork__sys_qemu_sweep(ctx, request->domid, request->vdev,
                                      top->node)) < 0 ||
        (rc = xenfork__qcow2_read(ctx, request->path, &qcow2)) < 0 ||
        (rc = xenfork__sys_qemu_img_create(ctx, &to, qcow2.size_bytes)) < 0)
        return rc;
    /* The guest stands still while QEMU begins, see host/qemu-job.c. */
    return request->ops->journal(ctx, request, request->to, true, begin_stopped,
                                 &m);
}

static int move_live(xenfork_ctx *ctx,
                     const struct xenfork__detach_request *request,
                     const struct xenfork__qemu_top *top)
{
    struct xenfork__qemu_job_info job;
    char id[XENFORK__QEMU_NAME];
    bool is_there;
    int rc;

    xenfork__qcow2_path_id(XENFORK__QCOW2_MOVE, request->to, request->vdev, id);
    if ((rc = adopt(ctx, request, id, &is_there)) < 0 ||
        (!is_there && (rc = begin_move(ctx, request, top, id)) < 0) ||
        (rc = watch_job(ctx, request, id, &job)) < 0)
        return rc;
    if (job.state == XENFORK__QEMU_JOB_READY)
        return pivot_to_copy(ctx, request, id);
    xenfork__fail(ctx, XENFORK_E_DISK, 0,
                  "QEMU of domain %u cannot copy disk %s to %s", request->domid,
                  request->vdev, request->to);
    return xenfork__remedy(ctx, "make room there, or choose another place");
}

static int detach_live(xenfork_ctx *ctx,
                       const struct xenfork__detach_request *request)
{
    cleanup_qemu_top struct xenfork__qemu_top top = {.node = ""};
    int rc = xenfork__sys_qemu_top(ctx, request->domid, request->vdev, &top);

    if (rc == 0)
        rc = request->to ? move_live(ctx, request, &top)
                         : flatten_live(ctx, request, &top);
    if (rc == XENFORK_E_NOTFOUND)
        return xenfork__fail(ctx, XENFORK_E_DISK, 0,
                             "disk %s: QEMU of domain %u is gone",
                             request->vdev, request->domid);
    if (rc < 0)
        cancel_job(ctx, request);
    return rc;
}

int xenfork__qcow2_detach(xenfork_ctx *ctx,
                          const struct xenfork__detach_request *request)
{
    bool is_done = false;
    int rc = request->to ? 0 : is_flat(ctx, request, &is_done);

    if (rc < 0 || is_done)
        return rc;
    if (request->domid == XENFORK_DOMID_NONE)
        return flatten_offline(ctx, request);
    rc = xenfork__qcow2_check_unplugged(ctx, request->domid, request->vdev,
                                        request->path);
    if (rc < 0)
        return rc;
    rc = detach_live(ctx, request);
    xenfork__sys_qemu_close(ctx);
    return rc;
}

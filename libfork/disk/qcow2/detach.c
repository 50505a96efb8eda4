/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A clone's qcow2 file comes to lie on nothing, while the clone runs: QEMU
 * copies into it what it lies on, or all of it into another file.  In the
 * latter case all that is written goes to both, and for the moments in which
 * QEMU begins, and goes over, and the records with it, the guest stands still.
 */
#include "disk/qcow2/driver.h"

#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "disk/qcow2/header.h"
#include "op/detach.h"
#include "state/files.h"

/* Between two looks at a job: soon at first, for a small disk. */
#define FIRST_POLL_NS 2000000U
#define LAST_POLL_NS  200000000U
#define FNV_BASE      14695981039346656037ULL
#define FNV_STEP      1099511628211ULL

void xenfork__qcow2_path_id(char kind, const char *path, const char *vdev,
                            char out[XENFORK__QEMU_NAME])
{
    uint64_t hash = FNV_BASE;

    for (; *path; path++)
        hash = (hash ^ (uint8_t)*path) * FNV_STEP;
    snprintf(out, XENFORK__QEMU_NAME, "%c%020" PRIx64 "-%.12s", kind, hash,
             vdev);
}

/* What the pace allows in this time: a job passes over what is empty. */
static uint64_t moved(const struct xenfork__own *own, uint64_t bytes,
                      uint32_t poll_ns)
{
    uint64_t speed = xenfork__detach_speed(own->job);
    uint64_t most = speed / (1000000000U / poll_ns);

    return speed && bytes > most ? most : bytes;
}

/* As long as it is at work; the guest's QEMU is for others to ask, too. */
static int watch(xenfork_ctx *ctx, const struct xenfork__own *own,
                 const char *id, struct xenfork__qemu_job_info *job)
{
    uint32_t poll_ns = FIRST_POLL_NS;
    uint64_t before = 0;
    int rc;

    while ((rc = xenfork__sys_qemu_job(ctx, own->domid, own->vdev, job)) == 0 &&
           job->state == XENFORK__QEMU_JOB_RUNNING && !strcmp(job->id, id)) {
        uint64_t step = job->done > before ? job->done - before : 0;

        xenfork__sys_qemu_close(ctx);
        rc = xenfork__detach_step(ctx, own->job, job->done, job->total,
                                  moved(own, step, poll_ns));
        if (rc < 0)
            return rc;
        before = job->done;
        nanosleep(&(struct timespec){.tv_nsec = (long)poll_ns}, NULL);
        poll_ns = poll_ns < LAST_POLL_NS / 2 ? 2 * poll_ns : LAST_POLL_NS;
    }
    return rc;
}

/* Not ours, or ours no more. */
static void cancel(xenfork_ctx *ctx, const struct xenfork__own *own)
{
    cleanup_qemu_top struct xenfork__qemu_top top = {.node = ""};
    __auto_type error = ctx->error;

    if (xenfork__sys_qemu_cancel(ctx, own->domid, own->vdev) < 0 ||
        xenfork__sys_qemu_top(ctx, own->domid, own->vdev, &top) < 0 ||
        xenfork__sys_qemu_tidy(ctx, own->domid, own->vdev, top.node) < 0)
        LOG_WARN(ctx, "the copy of disk %s goes on, ignoring", own->path);
    ctx->error = error;
}

/* The one that a killed process has begun; is_there_out: it goes on. */
static int adopt(xenfork_ctx *ctx, const struct xenfork__own *own,
                 const char *id, bool *is_there_out)
{
    struct xenfork__qemu_job_info job;
    int rc = xenfork__sys_qemu_job(ctx, own->domid, own->vdev, &job);

    *is_there_out = false;
    if (rc < 0 || job.state == XENFORK__QEMU_JOB_NONE)
        return rc;
    if (strcmp(job.id, id))
        return xenfork__sys_qemu_cancel(ctx, own->domid, own->vdev);
    *is_there_out = true;
    return xenfork__sys_qemu_speed(ctx, own->domid, id,
                                   xenfork__detach_speed(own->job));
}

static int sync_file(xenfork_ctx *ctx, const char *path)
{
    cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);

    return fd < 0 || fsync(fd) ? xenfork__fail(ctx, XENFORK_E_DISK, errno,
                                               "cannot flush %s", path)
                               : 0;
}

/* To its file and to the disk: it lies on nothing. */
static int check_flat(xenfork_ctx *ctx, const struct xenfork__own *own)
{
    cleanup_qcow2 struct xenfork__qcow2 qcow2 = {0};
    int rc = xenfork__qcow2_read(ctx, own->path, &qcow2);

    if (rc < 0)
        return rc == XENFORK_E_STATE
                   ? rc
                   : xenfork__fail(ctx, XENFORK_E_DISK, 0,
                                   "%s is no longer a qcow2 file", own->path);
    if (!qcow2.backing)
        return sync_file(ctx, own->path);
    xenfork__fail(
        ctx, XENFORK_E_DISK, 0,
        "QEMU of domain %u has not copied all of the backing file of %s",
        own->domid, own->path);
    return xenfork__remedy(ctx, "make room there, and try again");
}

static int is_flat(xenfork_ctx *ctx, const struct xenfork__own *own,
                   bool *is_out)
{
    cleanup_qcow2 struct xenfork__qcow2 qcow2 = {0};
    int rc = xenfork__qcow2_read(ctx, own->path, &qcow2);

    *is_out = rc == 0 && !qcow2.backing;
    return rc == 0 || rc == XENFORK_E_STATE
               ? rc
               : xenfork__fail(ctx, XENFORK_E_DISK, 0,
                               "%s cannot be read as a qcow2 file", own->path);
}

static int flatten_live(xenfork_ctx *ctx, const struct xenfork__own *own,
                        const struct xenfork__qemu_top *top)
{
    struct xenfork__qemu_job_info job;
    char id[XENFORK__QEMU_NAME];
    bool is_there;
    int rc;

    xenfork__qcow2_path_id(XENFORK__QCOW2_FLAT, own->path, own->vdev, id);
    if ((rc = adopt(ctx, own, id, &is_there)) < 0 ||
        (!is_there &&
         (rc = xenfork__sys_qemu_flatten(ctx, own->domid, top, id,
                                         xenfork__detach_speed(own->job))) < 0))
        return rc;
    rc = watch(ctx, own, id, &job);
    if (rc < 0)
        return rc;
    rc = check_flat(ctx, own);
    return rc < 0
               ? rc
               : xenfork__sys_qemu_tidy(ctx, own->domid, own->vdev, top->node);
}

static int heard(xenfork_ctx *ctx, void *opaque, uint32_t per_mille)
{
    if (per_mille == UINT32_MAX)
        return xenfork__detach_wait(ctx, opaque);
    return xenfork__detach_step(ctx, opaque, per_mille, 1000, 0);
}

static int flatten_offline(xenfork_ctx *ctx, const struct xenfork__own *own)
{
    int rc = xenfork__sys_flatten(ctx,
                                  &(struct xenfork__copy){.src = own->path,
                                                          .src_format = "qcow2",
                                                          .step = heard,
                                                          .opaque = own->job});

    return rc < 0 ? rc : check_flat(ctx, own);
}

/* Is it served from where it is to go?  Then the records say so. */
static int settle(xenfork_ctx *ctx, const struct xenfork__cut *cut,
                  bool *is_moved_out)
{
    cleanup_qemu_top struct xenfork__qemu_top top = {.node = ""};
    char id[XENFORK__QEMU_NAME];
    int rc = xenfork__sys_qemu_top(ctx, cut->domid, cut->vdev, &top);

    xenfork__qcow2_path_id(XENFORK__QCOW2_MOVE, cut->to, cut->vdev, id);
    *is_moved_out = rc == 0 && !strcmp(top.node, id);
    return *is_moved_out ? xenfork__moved(ctx, cut) : rc;
}

/* In the journal's words. */
static struct xenfork__cut cut_of(const struct xenfork__own *own)
{
    return (struct xenfork__cut){.domid = own->domid,
                                 .vdev = own->vdev,
                                 .from = own->path,
                                 .to = own->to};
}

static int go_over_stopped(xenfork_ctx *ctx, const struct xenfork__own *own,
                           const char *id)
{
    const struct xenfork__cut cut = cut_of(own);
    bool is_moved;
    int rc;

    if ((rc = xenfork__sys_qemu_flush(ctx, own->domid, id)) < 0 ||
        (rc = sync_file(ctx, own->to)) < 0 ||
        (rc = xenfork__names_sync(ctx, own->to)) < 0 ||
        (rc = xenfork__sys_qemu_complete(ctx, own->domid, own->vdev, id)) < 0)
        return rc;
    return settle(ctx, &cut, &is_moved);
}

static int go_over(xenfork_ctx *ctx, const struct xenfork__own *own,
                   const char *id)
{
    struct xenfork__move move;
    bool has_paused = false;
    int rc;

    if ((rc = xenfork__detach_stays(ctx, own->job, own->domid)) < 0 ||
        (rc = xenfork__move_begin(ctx, own, xenfork__disk_qcow2_own.name,
                                  own->to, &move)) < 0)
        return rc;
    if ((rc = xenfork__move_pausing(ctx, own, &move)) == 0 &&
        (rc = xenfork__qcow2_stop(ctx, own->domid, &has_paused)) == 0 &&
        (rc = go_over_stopped(ctx, own, id)) == 0 && has_paused)
        rc = xenfork__xen_unpause(ctx, own->domid);
    rc = xenfork__move_end(ctx, &move, rc);
    return rc < 0 ? rc : xenfork__sys_qemu_tidy(ctx, own->domid, own->vdev, id);
}

struct mirror {
    const struct xenfork__own *own;
    const struct xenfork__qemu_top *top;
    const char *id;
};

static int mirror(xenfork_ctx *ctx, const void *opaque)
{
    const struct mirror *m = opaque;
    const struct xenfork__image to = {.path = m->own->to,
                                      .format = m->own->format};

    return xenfork__sys_qemu_mirror(ctx, m->own->domid, m->top, m->id, &to,
                                    xenfork__detach_speed(m->own->job));
}

/* The guest stands still while QEMU begins, see host/qemu-job.c. */
static int begin_stopped(xenfork_ctx *ctx, const struct xenfork__own *own,
                         const struct xenfork__qemu_top *top, const char *id)
{
    const struct mirror m = {.own = own, .top = top, .id = id};
    struct xenfork__move move;
    int rc = xenfork__move_begin(ctx, own, xenfork__disk_qcow2_own.name,
                                 own->to, &move);

    if (rc < 0)
        return rc;
    if ((rc = xenfork__move_pausing(ctx, own, &move)) == 0)
        rc = xenfork__qcow2_copy(ctx, own->domid, own->vdev, mirror, &m);
    return xenfork__move_end(ctx, &move, rc);
}

static int begin_move(xenfork_ctx *ctx, const struct xenfork__own *own,
                      const struct xenfork__qemu_top *top, const char *id)
{
    cleanup_qcow2 struct xenfork__qcow2 qcow2 = {0};
    const struct xenfork__image to = {.path = own->to, .format = own->format};
    int rc;

    if ((rc = xenfork__sys_qemu_tidy(ctx, own->domid, own->vdev, top->node)) <
            0 ||
        (rc = xenfork__qcow2_read(ctx, own->path, &qcow2)) < 0 ||
        (rc = xenfork__sys_qemu_img_create(ctx, &to, qcow2.size_bytes)) < 0)
        return rc;
    return begin_stopped(ctx, own, top, id);
}

static int move_live(xenfork_ctx *ctx, const struct xenfork__own *own,
                     const struct xenfork__qemu_top *top)
{
    struct xenfork__qemu_job_info job;
    char id[XENFORK__QEMU_NAME];
    bool is_there;
    int rc;

    xenfork__qcow2_path_id(XENFORK__QCOW2_MOVE, own->to, own->vdev, id);
    if ((rc = adopt(ctx, own, id, &is_there)) < 0 ||
        (!is_there && (rc = begin_move(ctx, own, top, id)) < 0) ||
        (rc = watch(ctx, own, id, &job)) < 0)
        return rc;
    if (job.state == XENFORK__QEMU_JOB_READY)
        return go_over(ctx, own, id);
    xenfork__fail(ctx, XENFORK_E_DISK, 0,
                  "QEMU of domain %u cannot copy disk %s to %s", own->domid,
                  own->vdev, own->to);
    return xenfork__remedy(ctx, "make room there, or choose another place");
}

static int detach_live(xenfork_ctx *ctx, const struct xenfork__own *own)
{
    cleanup_qemu_top struct xenfork__qemu_top top = {.node = ""};
    int rc = xenfork__sys_qemu_top(ctx, own->domid, own->vdev, &top);

    if (rc == 0)
        rc = own->to ? move_live(ctx, own, &top) : flatten_live(ctx, own, &top);
    if (rc == XENFORK_E_NOTFOUND)
        return xenfork__fail(ctx, XENFORK_E_DISK, 0,
                             "disk %s: QEMU of domain %u is gone", own->vdev,
                             own->domid);
    if (rc < 0)
        cancel(ctx, own);
    return rc;
}

int xenfork__qcow2_detach(xenfork_ctx *ctx, const struct xenfork__own *own)
{
    bool is_done = false;
    int rc = own->to ? 0 : is_flat(ctx, own, &is_done);

    if (rc < 0 || is_done)
        return rc;
    if (own->domid == XENFORK_DOMID_NONE)
        return flatten_offline(ctx, own);
    rc = detach_live(ctx, own);
    xenfork__sys_qemu_close(ctx);
    return rc;
}

/* Gone over already, it stays so; otherwise it is as before. */
static int own_abort(xenfork_ctx *ctx, const struct xenfork__cut *cut)
{
    bool is_moved;
    int rc;

    if (cut->domid == XENFORK_DOMID_NONE)
        return 0;
    rc = settle(ctx, cut, &is_moved);
    if (rc == 0 && !is_moved)
        rc = xenfork__sys_qemu_cancel(ctx, cut->domid, cut->vdev);
    return rc == XENFORK_E_NOTFOUND ? 0 : rc;
}

const struct xenfork__disk_driver xenfork__disk_qcow2_own = {
    .name = "qcow2-own",
    .why = "for the journal alone",
    .abort = own_abort,
    .remove = xenfork__file_remove,
};

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Commit to the base what the source has written since a snapshot: when a fork
 * is undone, and when the base backs only the source.  QEMU copies it while the
 * guest runs, then writes to both, and pivots to the base when it is told to.
 *
 * The copy uses a node of its own for the base: the node through which the
 * guest reads was opened by a name that leads elsewhere now (see host/qemu.c).
 * Two block nodes for one file are safe here: the mirror writes only clusters
 * that the overlay has allocated, so the guest never reads them through the
 * other node.
 *
 * The guest stands still while QEMU begins (see host/qemu-job.c), and for the
 * moment of the pivot, so that at every instant the path leads to everything
 * that the guest was told is written: both files have it, durably, then the
 * path changes, then QEMU pivots.
 */
#include "disk/qcow2/driver.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/file.h"
#include "disk/qcow2/header.h"
#include "host/dm.h"
#include "state/files.h"

#define LIMIT_MS 600000U
#define POLL_NS  2000000L

/* The files of a snapshot that exist. */
struct files {
    char *new; /* its path */
    bool has_new, has_base;
    bool is_before; /* the path leads to the base */
};

static int look_at_files(xenfork_ctx *ctx,
                         const struct xenfork__snapshot *snapshot,
                         struct files *out)
{
    struct stat from, to, new;
    int rc = xenfork__qcow2_new(ctx, snapshot->to, &out->new);

    if (rc < 0)
        return rc;
    out->has_new = lstat(out->new, &new) == 0;
    out->has_base = lstat(snapshot->to, &to) == 0;
    out->is_before = out->has_base && lstat(snapshot->from, &from) == 0 &&
                     xenfork__is_same_inode(&from, &to);
    return 0;
}

/* Tell whether the source's path leads to an overlay directly on @to. */
static int is_on_overlay(xenfork_ctx *ctx,
                         const struct xenfork__snapshot *snapshot, bool *is_out)
{
    cleanup_free char *parent = NULL;
    int rc = xenfork__qcow2_parent(ctx, snapshot->from, &parent);

    *is_out = rc == 0 && parent && xenfork__is_same_file(parent, snapshot->to);
    return rc == XENFORK_E_NOTFOUND ? 0 : rc;
}

static int rename_durably(xenfork_ctx *ctx, const char *from, const char *to)
{
    if (rename(from, to))
        return xenfork__fail(ctx, XENFORK_E_DISK, errno,
                             "cannot rename %s to %s", from, to);
    return xenfork__names_sync(ctx, to);
}

/* Make the path lead to the old file again, which has everything. */
static int pivot_back(xenfork_ctx *ctx,
                      const struct xenfork__snapshot *snapshot)
{
    cleanup_close int fd = open(snapshot->to, O_RDONLY | O_CLOEXEC);
    struct stat st;

    if (fd < 0 || stat(snapshot->from, &st) || fchmod(fd, st.st_mode & 07777))
        return xenfork__fail(ctx, XENFORK_E_DISK, errno,
                             "cannot make %s writable", snapshot->to);
    return rename_durably(ctx, snapshot->to, snapshot->from);
}

/*
 * Remove the second name of the source's file.  If the file has no other name
 * any more, because another file was moved over it, the second name stays.
 */
static int drop_name(xenfork_ctx *ctx, const struct xenfork__snapshot *snapshot)
{
    struct stat st;

    if (lstat(snapshot->to, &st) || S_ISLNK(st.st_mode) || st.st_nlink > 1)
        return xenfork__file_remove(ctx, snapshot->to);
    LOG_WARN(ctx,
             "%s is the only name that the source's file has: it stays, "
             "ignoring",
             snapshot->to);
    return 0;
}

static int drop_new(xenfork_ctx *ctx, const struct xenfork__snapshot *snapshot,
                    const struct files *files)
{
    int rc = 0;

    if (files->has_base && (files->is_before || files->has_new))
        rc = drop_name(ctx, snapshot);
    return rc < 0 ? rc : xenfork__file_remove(ctx, files->new);
}

/* Undo the files; QEMU does not use the new one, or there is none. */
static int undo_files(xenfork_ctx *ctx,
                      const struct xenfork__snapshot *snapshot,
                      const struct files *files)
{
    bool is_above = false;
    int rc;

    if (files->has_new || !files->has_base || files->is_before)
        return drop_new(ctx, snapshot, files);
    rc = is_on_overlay(ctx, snapshot, &is_above);
    if (rc < 0)
        return rc;
    if (is_above)
        return pivot_back(ctx, snapshot);
    LOG_WARN(ctx, "%s is not backed by %s, which stays, ignoring",
             snapshot->from, snapshot->to);
    return 0;
}

/* Commit a file that nobody serves. */
static int commit_offline(xenfork_ctx *ctx,
                          const struct xenfork__snapshot *snapshot,
                          const struct files *files)
{
    bool is_above = false;
    int rc;

    if (!files->has_new && files->has_base && !files->is_before) {
        if ((rc = is_on_overlay(ctx, snapshot, &is_above)) < 0 ||
            (is_above &&
             ((rc = xenfork__sys_qemu_img_commit(ctx, snapshot->from)) < 0 ||
              (rc = xenfork__sys_disk_flush(ctx, snapshot->to)) < 0)))
            return rc;
    }
    return undo_files(ctx, snapshot, files);
}

/*
 * Find the base; the path already leads there if an earlier attempt has come so
 * far.
 */
static int find_below(xenfork_ctx *ctx,
                      const struct xenfork__snapshot *snapshot,
                      const char **path_out)
{
    cleanup_free char *parent = NULL;
    struct stat st;
    int rc;

    *path_out = snapshot->to;
    if (lstat(snapshot->to, &st) == 0)
        return 0;
    *path_out = snapshot->from;
    rc = xenfork__qcow2_parent(ctx, snapshot->from, &parent);
    if (rc < 0 || !parent ||
        strcmp(xenfork__qcow2_base(parent), xenfork__qcow2_base(snapshot->to)))
        return rc;
    return xenfork__fail(ctx, XENFORK_E_DISK, 0,
                         "%s, the backing file of %s, is gone", snapshot->to,
                         snapshot->from);
}

struct start {
    const struct xenfork__snapshot *snapshot;
    const struct xenfork__qemu_top *top;
    const char *id, *below;
};

static int start_commit(xenfork_ctx *ctx, const void *opaque)
{
    const struct start *m = opaque;

    return xenfork__sys_qemu_commit(ctx, m->snapshot->domid, m->top, m->id,
                                    m->below);
}

int xenfork__qcow2_begin(xenfork_ctx *ctx,
                         const struct xenfork__snapshot *snapshot,
                         const struct xenfork__qemu_top *top, const char *id)
{
    struct start m = {.snapshot = snapshot, .top = top, .id = id};
    int rc = find_below(ctx, snapshot, &m.below);

    return rc < 0 ? rc
                  : xenfork__qcow2_copy(ctx, snapshot->domid, snapshot->vdev,
                                        start_commit, &m);
}

/* Wait until both files have the same contents. */
static int wait_mirrored(xenfork_ctx *ctx,
                         const struct xenfork__snapshot *snapshot,
                         const struct xenfork__qemu_top *top, const char *id)
{
    uint64_t end_ns = xenfork__now_ns() + LIMIT_MS * 1000000ULL;
    struct xenfork__qemu_job_info job;
    int rc = xenfork__sys_qemu_job(ctx, snapshot->domid, snapshot->vdev, &job);

    if (rc == 0 && job.state != XENFORK__QEMU_JOB_NONE && strcmp(job.id, id)) {
        rc = xenfork__sys_qemu_cancel(ctx, snapshot->domid, snapshot->vdev);
        job.state = XENFORK__QEMU_JOB_NONE;
    }
    if (rc == 0 && job.state == XENFORK__QEMU_JOB_NONE &&
        (rc = xenfork__qcow2_begin(ctx, snapshot, top, id)) == 0)
        rc = xenfork__sys_qemu_job(ctx, snapshot->domid, snapshot->vdev, &job);
    while (rc == 0 && job.state == XENFORK__QEMU_JOB_RUNNING &&
           xenfork__now_ns() < end_ns) {
        xenfork__sleep_ns(POLL_NS);
        rc = xenfork__sys_qemu_job(ctx, snapshot->domid, snapshot->vdev, &job);
    }
    if (rc < 0 || job.state == XENFORK__QEMU_JOB_READY)
        return rc;
    return xenfork__fail(ctx, XENFORK_E_DISK, 0,
                         "QEMU of domain %u cannot commit to %s",
                         snapshot->domid, snapshot->to);
}

static int pivot_to_base(xenfork_ctx *ctx,
                         const struct xenfork__snapshot *snapshot,
                         const char *id)
{
    const char *below;
    bool has_paused = false;
    int rc, r;

    if ((rc = find_below(ctx, snapshot, &below)) == 0 &&
        (rc = xenfork__qcow2_stop(ctx, snapshot->domid, &has_paused)) == 0)
        rc = xenfork__sys_qemu_flush(ctx, snapshot->domid, id);
    if (rc == 0 && below == snapshot->to)
        rc = pivot_back(ctx, snapshot);
    if (rc == 0)
        rc = xenfork__sys_qemu_complete(ctx, snapshot->domid, snapshot->vdev,
                                        id);
    if (has_paused && (r = xenfork__xen_unpause(ctx, snapshot->domid)) < 0)
        rc = r;
    return rc;
}

/* Check that no file was put there by somebody else. */
static int check_commit_files(xenfork_ctx *ctx,
                              const struct xenfork__snapshot *snapshot,
                              const struct files *files)
{
    int rc;

    if (files->has_new && !files->is_before) {
        xenfork__fail(ctx, XENFORK_E_DISK, 0,
                      "%s is not the file that became the base",
                      snapshot->from);
        return xenfork__remedy(ctx, "move it away, and rename %s to that path",
                               snapshot->to);
    }
    rc = files->has_new
             ? 0
             : xenfork__disk_is_served(ctx, snapshot->domid, snapshot->vdev,
                                       snapshot->from);
    return rc;
}

static int commit_overlay(xenfork_ctx *ctx,
                          const struct xenfork__snapshot *snapshot,
                          const struct xenfork__qemu_top *top,
                          const struct files *files)
{
    char id[XENFORK__QEMU_NAME];
    int rc;

    if ((rc = check_commit_files(ctx, snapshot, files)) < 0 ||
        (rc = xenfork__qcow2_id(ctx, XENFORK__QCOW2_COMMIT, snapshot->to,
                                snapshot->vdev, id)) < 0 ||
        (files->has_new &&
         (rc = rename_durably(ctx, files->new, snapshot->from)) < 0) ||
        (rc = wait_mirrored(ctx, snapshot, top, id)) < 0 ||
        (rc = pivot_to_base(ctx, snapshot, id)) < 0)
        return rc;
    return xenfork__sys_qemu_sweep(ctx, snapshot->domid, snapshot->vdev, id);
}

static int find_top(xenfork_ctx *ctx, const struct xenfork__snapshot *snapshot,
                    struct xenfork__qemu_top *top)
{
    if (snapshot->domid == XENFORK_DOMID_NONE)
        return xenfork__miss(ctx, XENFORK_E_NOTFOUND, "the source is gone");
    return xenfork__sys_qemu_top(ctx, snapshot->domid, snapshot->vdev, top);
}

static int abort_with(xenfork_ctx *ctx,
                      const struct xenfork__snapshot *snapshot,
                      const struct files *files)
{
    cleanup_qemu_top struct xenfork__qemu_top top = {.node = ""};
    char node[XENFORK__QEMU_NAME];
    int rc = xenfork__qcow2_id(ctx, XENFORK__QCOW2_OVERLAY, snapshot->to,
                               snapshot->vdev, node);

    if (rc < 0)
        return rc;
    rc = find_top(ctx, snapshot, &top);
    if (rc == XENFORK_E_NOTFOUND)
        return commit_offline(ctx, snapshot, files);
    if (rc < 0) {
        /* Make the path lead to the file that QEMU writes. */
        if (files->has_new && files->is_before)
            rename_durably(ctx, files->new, snapshot->from);
        return rc;
    }
    /* By its name, or opened anew since then. */
    if (!strcmp(top.node, node) || !strcmp(xenfork__qcow2_base(top.backing),
                                           xenfork__qcow2_base(snapshot->to)))
        return commit_overlay(ctx, snapshot, &top, files);
    rc = xenfork__sys_qemu_remove(ctx, snapshot->domid, node);
    return rc < 0 ? rc : undo_files(ctx, snapshot, files);
}

int xenfork__qcow2_abort(xenfork_ctx *ctx,
                         const struct xenfork__snapshot *snapshot)
{
    cleanup_free char *real = NULL;
    struct files files = {.new = NULL};
    struct xenfork__snapshot followed = *snapshot;
    int rc = xenfork__qcow2_follow(ctx, &followed, &real);

    if (rc == 0 && (rc = look_at_files(ctx, &followed, &files)) == 0)
        rc = abort_with(ctx, &followed, &files);
    free(files.new);
    return rc;
}

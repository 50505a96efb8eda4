/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Detach a clone's VHD from its base while the clone runs.  The base never
 * changes: it is copied into another VHD, in the folder of the clone's, by two
 * tapdisks of ours.  Then the clone's VHD gets the copy as its parent, and is
 * coalesced into it, as a source's is when a fork is undone: only for this its
 * requests wait.
 *
 * The files tell how far it is.  Until the clone's VHD is backed by the copy,
 * nobody uses the copy, and copying can continue; from then on it is coalesced,
 * by any process that finds the journal.
 */
#include "disk/vhd/vhd.h"

#include <string.h>

#include "disk/detach.h"
#include "host/host.h"
#include "state/files.h"

#define USER "detach" /* whom its tapdisks are for */

struct files {
    char *leaf;  /* the clone's, with all links resolved */
    char *copy;  /* of everything that backs it */
    char *below; /* an empty one over that, by which it is read */
};

static void free_detach(struct files *files)
{
    int e = errno;

    free(files->leaf);
    free(files->copy);
    free(files->below);
    errno = e;
}
#define cleanup_files __attribute__((cleanup(free_detach)))

static int name_files(xenfork_ctx *ctx, const char *path, struct files *files)
{
    const char *file = xenfork__vhd_file(path);

    files->leaf = realpath(file, NULL);
    if (!files->leaf)
        return errno == ENOENT
                   ? xenfork__miss(ctx, XENFORK_E_NOTFOUND, "no file %s", file)
                   : xenfork__fail(ctx, XENFORK_E_DISK, errno, "no file %s",
                                   file);
    if (asprintf(&files->copy, "%s.own", files->leaf) < 0)
        files->copy = NULL;
    if (asprintf(&files->below, "%s.below", files->leaf) < 0)
        files->below = NULL;
    return files->copy && files->below ? 0 : xenfork__nomem(ctx);
}

/* Detach our tapdisks. */
static int detach_tapdisks(xenfork_ctx *ctx, const struct files *files)
{
    int rc = xenfork__sys_tap_detach(ctx, files->copy, NULL);
    int r = xenfork__sys_tap_detach(ctx, files->below, USER);

    rc = rc < 0 ? rc : r;
    r = xenfork__file_remove(ctx, files->below);
    return rc < 0 ? rc : r;
}

int xenfork__vhd_forget_copy(xenfork_ctx *ctx, const char *file)
{
    cleanup_files struct files files = {0};
    int rc = name_files(ctx, file, &files), r;

    if (rc < 0)
        return rc == XENFORK_E_NOTFOUND ? 0 : rc;
    rc = detach_tapdisks(ctx, &files);
    r = xenfork__file_remove(ctx, files.copy);
    return rc < 0 ? rc : r;
}

static int parent_of(xenfork_ctx *ctx, const char *file, char **parent_out)
{
    struct xenfork__vhd vhd = {0};
    int rc = xenfork__sys_vhd_query(ctx, file, &vhd);

    if (rc == 0)
        *parent_out = vhd.parent;
    return rc == XENFORK_E_NOTFOUND
               ? xenfork__fail(ctx, XENFORK_E_DISK, 0, "no file %s", file)
               : rc;
}

/* Make the copy again if it was only half made: it still has a parent then. */
static int make_copy(xenfork_ctx *ctx, const struct files *files,
                     const char *parent)
{
    cleanup_free char *over = NULL;
    int rc;

    if (access(files->copy, F_OK) == 0) {
        rc = parent_of(ctx, files->copy, &over);
        if (rc == 0 && !over)
            return 0;
        if ((rc = xenfork__file_remove(ctx, files->copy)) < 0)
            return rc;
    }
    rc = xenfork__sys_vhd_snapshot(ctx, parent, files->copy);
    return rc < 0 ? rc : xenfork__sys_vhd_stand_alone(ctx, files->copy, parent);
}

static int take_piece(xenfork_ctx *ctx, void *opaque, uint64_t done,
                      uint64_t total, uint64_t moved)
{
    return xenfork__request_step(ctx, opaque, done, total, moved);
}

/* Attach a device with the contents of @over. */
static int attach_copy(xenfork_ctx *ctx, const struct files *files,
                       const char *over, char **node_out)
{
    int rc = xenfork__file_remove(ctx, files->below);

    if (rc < 0 || (rc = xenfork__sys_vhd_snapshot(ctx, over, files->below)) < 0)
        return rc;
    return xenfork__sys_tap_attach(ctx, files->below, USER,
                                   XENFORK__TAP_READONLY, node_out);
}

static int write_copy(xenfork_ctx *ctx,
                      const struct xenfork__detach_request *request,
                      const struct files *files, const char *parent)
{
    cleanup_free char *src = NULL;
    cleanup_free char *dst = NULL;
    int rc;

    if ((rc = attach_copy(ctx, files, parent, &src)) < 0 ||
        (rc = xenfork__sys_tap_attach(ctx, files->copy, USER, 0, &dst)) < 0)
        return rc;
    rc = xenfork__sys_copy_device(
        ctx, &(struct xenfork__device_copy){.src = src,
                                            .dst = dst,
                                            .step = take_piece,
                                            .opaque = (void *)request});
    if (rc == XENFORK_E_NOSPC)
        xenfork__remedy(ctx, "make room there, and try again");
    return rc;
}

/* Make the clone's disk go on from the copy. */
static int pivot_to_file(xenfork_ctx *ctx, const struct files *files)
{
    const struct xenfork__snapshot snapshot = {
        .domid = XENFORK_DOMID_NONE, .from = files->leaf, .to = files->copy};
    int rc;

    if ((rc = xenfork__sys_vhd_sync(ctx, files->copy)) < 0)
        return rc;
    rc = xenfork__vhd_pause(ctx, files->leaf);
    if ((rc < 0 && rc != XENFORK_E_NOTFOUND) ||
        (rc = xenfork__sys_vhd_relink(ctx, files->leaf, files->copy)) < 0 ||
        (rc = xenfork__sys_vhd_sync(ctx, files->leaf)) < 0)
        return rc;
    return xenfork__vhd_abort(ctx, &snapshot);
}

static int detach_in_place(xenfork_ctx *ctx,
                           const struct xenfork__detach_request *request,
                           const struct files *files, const char *parent)
{
    int rc;

    if ((rc = detach_tapdisks(ctx, files)) < 0 ||
        (rc = make_copy(ctx, files, parent)) < 0 ||
        (rc = write_copy(ctx, request, files, parent)) < 0 ||
        (rc = detach_tapdisks(ctx, files)) < 0)
        return rc;
    return pivot_to_file(ctx, files);
}

/* Detach a disk that nobody uses. */
static int detach_elsewhere(xenfork_ctx *ctx,
                            const struct xenfork__detach_request *request,
                            const struct files *files)
{
    cleanup_free char *node = NULL;
    int rc;

    if ((rc = detach_tapdisks(ctx, files)) < 0 ||
        (rc = attach_copy(ctx, files, files->leaf, &node)) < 0 ||
        (rc = xenfork__request_copy(ctx, request, node, "raw")) < 0)
        return rc;
    return detach_tapdisks(ctx, files);
}

static int refuse_move(xenfork_ctx *ctx,
                       const struct xenfork__detach_request *request)
{
    xenfork__fail(ctx, XENFORK_E_DISK, 0,
                  "disk %s (%s) cannot be moved while its domain runs",
                  request->vdev, request->path);
    return xenfork__remedy(ctx, "leave out --to, and it is detached where it "
                                "is; or shut the clone down");
}

struct detach {
    const struct files *files;
    const char *parent;
};

static int detach_files(xenfork_ctx *ctx,
                        const struct xenfork__detach_request *request,
                        const void *arg)
{
    const struct detach *detach = arg;

    return request->to
               ? detach_elsewhere(ctx, request, detach->files)
               : detach_in_place(ctx, request, detach->files, detach->parent);
}

int xenfork__vhd_detach(xenfork_ctx *ctx,
                        const struct xenfork__detach_request *request)
{
    cleanup_files struct files files = {0};
    cleanup_free char *parent = NULL;
    cleanup_free char *to = NULL;
    int rc;

    if (request->to && request->domid != XENFORK_DOMID_NONE)
        return refuse_move(ctx, request);
    if ((rc = name_files(ctx, request->path, &files)) < 0 ||
        (rc = parent_of(ctx, files.leaf, &parent)) < 0)
        return rc == XENFORK_E_NOTFOUND
                   ? xenfork__fail(ctx, XENFORK_E_DISK, 0, "no file %s",
                                   request->path)
                   : rc;
    if (!request->to && !parent)
        return 0;
    if (asprintf(&to, XENFORK__VHD_PREFIX "%s", files.copy) < 0) {
        to = NULL;
        return xenfork__nomem(ctx);
    }
    return request->ops->journal(
        ctx, request, to, false, detach_files,
        &(struct detach){.files = &files, .parent = parent});
}

/* Finish, or undo, as the files tell; the disk's requests go on. */
static int end_detach(xenfork_ctx *ctx, const struct files *files)
{
    const struct xenfork__snapshot snapshot = {
        .domid = XENFORK_DOMID_NONE, .from = files->leaf, .to = files->copy};
    cleanup_free char *parent = NULL;
    bool is_paused = false;
    int rc = parent_of(ctx, files->leaf, &parent);

    if (rc < 0)
        return rc;
    if (parent && !strcmp(parent, files->copy))
        return xenfork__vhd_abort(ctx, &snapshot);
    rc = xenfork__vhd_is_paused(ctx, files->leaf, &is_paused);
    if (rc == XENFORK_E_NOTFOUND)
        return 0;
    return rc == 0 && is_paused ? xenfork__vhd_resume(ctx, files->leaf) : rc;
}

int xenfork__vhd_detach_recover(xenfork_ctx *ctx,
                                const struct xenfork__snapshot *snapshot,
                                bool *is_switched_out)
{
    cleanup_files struct files files = {0};
    int rc = name_files(ctx, snapshot->from, &files), r;

    *is_switched_out = false;
    if (rc < 0)
        return rc == XENFORK_E_NOTFOUND ? 0 : rc;
    rc = end_detach(ctx, &files);
    r = detach_tapdisks(ctx, &files);
    return rc < 0 ? rc : r;
}

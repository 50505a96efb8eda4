/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Take a snapshot of a VHD, and undo it.  While the source runs, its file gets
 * a second name, that of the base, and an empty VHD is made on top of that.  In
 * the stun the empty one is renamed to the source's name: this alone is the
 * snapshot.  The files tell which steps were done.
 */
#include "disk/vhd/vhd.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "host/host.h"
#include "state/files.h"

#define MANY_DEPTH 16U /* its tapdisk reopens them in some 0.2 s */

struct files {
    char *user; /* the source's, with all links resolved */
    char *base; /* the second name */
    char *next; /* the empty one, to begin with */
};

static void free_files(struct files *files)
{
    int e = errno;

    free(files->user);
    free(files->base);
    free(files->next);
    errno = e;
}
#define cleanup_files __attribute__((cleanup(free_files)))

/*
 * Find the files; the new one is in the same folder as both, so that its
 * parent's path stays right.
 */
static int find_files(xenfork_ctx *ctx,
                      const struct xenfork__snapshot *snapshot,
                      struct files *files)
{
    const char *from = xenfork__vhd_file(snapshot->from);

    files->base = strdup(xenfork__vhd_file(snapshot->to));
    if (!files->base ||
        asprintf(&files->next, "%s" XENFORK__VHD_NEW, files->base) < 0) {
        files->next = NULL;
        return xenfork__nomem(ctx);
    }
    files->user = realpath(from, NULL);
    return files->user
               ? 0
               : xenfork__fail(ctx, XENFORK_E_DISK, errno, "no file %s", from);
}

static int note_depth(xenfork_ctx *ctx, const char *user)
{
    struct xenfork__vhd vhd = {0};
    int rc = xenfork__sys_vhd_query(ctx, user, &vhd);

    free(vhd.parent);
    if (rc == 0 && vhd.depth > MANY_DEPTH)
        LOG_WARN(
            ctx,
            "the chain of %s has %u VHDs, which makes the source stand still "
            "for longer, ignoring: it becomes shorter when clones are "
            "destroyed",
            user, vhd.depth);
    return rc;
}

int xenfork__vhd_prepare(xenfork_ctx *ctx,
                         const struct xenfork__snapshot *snapshot)
{
    cleanup_files struct files files = {0};
    int rc = find_files(ctx, snapshot, &files);

    if (rc < 0 || (rc = note_depth(ctx, files.user)) < 0)
        return rc;
    if (link(files.user, files.base))
        return xenfork__fail(ctx, XENFORK_E_DISK, errno, "cannot link %s as %s",
                             files.user, files.base);
    rc = xenfork__sys_vhd_snapshot(ctx, files.base, files.next);
    return rc < 0 ? rc : xenfork__sys_vhd_sync(ctx, files.user);
}

static int rename_synced(xenfork_ctx *ctx, const char *from, const char *to)
{
    if (rename(from, to))
        return xenfork__fail(ctx, XENFORK_E_DISK, errno, "cannot rename %s",
                             from);
    return xenfork__sys_vhd_sync(ctx, to);
}

/*
 * Check that the file that is about to be replaced is the one that has the
 * second name.
 */
static int check_user_file(xenfork_ctx *ctx, const struct files *files)
{
    struct stat user, base;

    if (!lstat(files->user, &user) && !lstat(files->base, &base) &&
        xenfork__is_same_inode(&user, &base))
        return xenfork__vhd_check_served(ctx, files->user);
    xenfork__fail(ctx, XENFORK_E_DISK, 0,
                  "another file has been put at %s meanwhile", files->user);
    return xenfork__remedy(ctx, "put back the file that the domain has open");
}

/* Change the mode of the open file, not by its path, and follow no link. */
static int set_mode(const char *path, mode_t mode)
{
    cleanup_close int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

    return fd < 0 ? -1 : fchmod(fd, mode);
}

int xenfork__vhd_snapshot(xenfork_ctx *ctx,
                          const struct xenfork__snapshot *snapshot)
{
    cleanup_files struct files files = {0};
    int rc;

    if ((rc = find_files(ctx, snapshot, &files)) < 0 ||
        (rc = check_user_file(ctx, &files)) < 0 ||
        (rc = xenfork__vhd_pause(ctx, files.user)) < 0 ||
        (rc = rename_synced(ctx, files.next, files.user)) < 0)
        return rc;
    if (set_mode(files.base, 0400))
        return xenfork__fail(ctx, XENFORK_E_DISK, errno,
                             "cannot make %s read-only", files.base);
    return xenfork__vhd_resume(ctx, files.user);
}

/* Pause the tapdisk; a source that is gone has none. */
static int pause_if_any(xenfork_ctx *ctx, const char *user)
{
    int rc = xenfork__vhd_pause(ctx, user);

    return rc == XENFORK_E_NOTFOUND ? 0 : rc;
}

static int resume_if_paused(xenfork_ctx *ctx, const char *user)
{
    bool is_paused = false;
    int rc = xenfork__vhd_is_paused(ctx, user, &is_paused);

    if (rc == XENFORK_E_NOTFOUND)
        return 0;
    return rc == 0 && is_paused ? xenfork__vhd_resume(ctx, user) : rc;
}

/*
 * Coalesce what the source has written since into the base, which gets the
 * source's name back.  Until then the source's file has everything; this may be
 * repeated.
 */
static int coalesce(xenfork_ctx *ctx, const struct files *files,
                    const struct stat *user)
{
    struct xenfork__vhd vhd = {0};
    cleanup_free char *parent = NULL;
    int rc = xenfork__vhd_check_served(ctx, files->user);

    if (rc < 0 || (rc = pause_if_any(ctx, files->user)) < 0 ||
        (rc = xenfork__sys_vhd_query(ctx, files->user, &vhd)) < 0)
        return rc;
    parent = vhd.parent;
    if (!parent || strcmp(parent, files->base) != 0)
        return xenfork__fail(ctx, XENFORK_E_STATE, 0, "%s is not backed by %s",
                             files->user, files->base);
    if (vhd.allocated && (rc = xenfork__sys_vhd_coalesce(ctx, files->user)) < 0)
        return rc;
    if (set_mode(files->base, user->st_mode & 07777))
        return xenfork__fail(ctx, XENFORK_E_DISK, errno,
                             "cannot make %s writable", files->base);
    rc = xenfork__sys_vhd_sync(ctx, files->base);
    return rc < 0 ? rc : rename_synced(ctx, files->base, files->user);
}

/* Go back to one file under the source's name alone. */
static int undo_snapshot(xenfork_ctx *ctx, const struct files *files)
{
    struct stat user, base;

    if (stat(files->base, &base))
        return errno == ENOENT
                   ? 0
                   : xenfork__fail(ctx, XENFORK_E_DISK, errno,
                                   "cannot examine %s", files->base);
    if (stat(files->user, &user))
        return xenfork__fail(ctx, XENFORK_E_DISK, errno, "cannot examine %s",
                             files->user);
    return xenfork__is_same_inode(&user, &base)
               ? xenfork__file_remove(ctx, files->base)
               : coalesce(ctx, files, &user);
}

int xenfork__vhd_abort(xenfork_ctx *ctx,
                       const struct xenfork__snapshot *snapshot)
{
    cleanup_files struct files files = {0};
    int rc = find_files(ctx, snapshot, &files), r;

    if (rc < 0)
        return rc;
    rc = undo_snapshot(ctx, &files);
    /* In each case the source has a disk with which it can go on. */
    r = resume_if_paused(ctx, files.user);
    rc = rc < 0 ? rc : r;
    return rc < 0 ? rc : xenfork__file_remove(ctx, files.next);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reflinks: copies of files that share their blocks until written. */
#include "base/internal.h"

#include "host/host.h"

#include <fcntl.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "base/file.h"
#include "state/later.h"

#ifndef XFS_SUPER_MAGIC
#define XFS_SUPER_MAGIC 0x58465342
#endif

#define REMEDY "keep the disk on XFS (made with reflink=1) or on btrfs"

/* Return the directory of a path.  NULL: out of memory. */
static char *directory_of(const char *path)
{
    const char *slash = strrchr(path, '/');

    if (!slash)
        return strdup(".");
    if (slash == path)
        return strdup("/");
    return strndup(path, (size_t)(slash - path));
}

/*
 * Give a new file the flag of its source: btrfs shares blocks only between
 * files that both have checksums, or both have none (chattr +C); a new file is
 * as its folder is.  Elsewhere a file has no such flag.
 */
static int take_checksums(int src, int dst)
{
    int theirs = 0, ours = 0;

    if (ioctl(src, FS_IOC_GETFLAGS, &theirs) < 0 ||
        ioctl(dst, FS_IOC_GETFLAGS, &ours) < 0 ||
        !((theirs ^ ours) & FS_NOCOW_FL))
        return 0;
    ours = (ours & ~FS_NOCOW_FL) | (theirs & FS_NOCOW_FL);
    return ioctl(dst, FS_IOC_SETFLAGS, &ours);
}

/* Fill dst, which is new; step_out: the step that failed. */
static int fill_copy(int src, int dst, bool is_base, const char **step_out)
{
    struct stat st;

    *step_out = "examine";
    if (fstat(src, &st) < 0)
        return -1;
    *step_out = "reflink";
    if (!S_ISREG(st.st_mode)) {
        errno = EINVAL;
        return -1;
    }
    if (take_checksums(src, dst) < 0 || ioctl(dst, FICLONE, src) < 0)
        return -1;
    *step_out = "set the owner of a reflink of";
    if (fchown(dst, st.st_uid, st.st_gid) < 0)
        return -1;
    *step_out = "set the mode of a reflink of";
    if (is_base && fchmod(dst, 0400) < 0)
        return -1;
    return 0;
}

/* Make a copy durable; one of a clone that is made, with the others. */
static int sync_copy(xenfork_ctx *ctx, int fd, const char *path, bool is_base)
{
    if (ctx->later && !is_base)
        return xenfork__later_file(ctx, path);
    return fsync(fd) || xenfork__sync_parent(path) ? -1 : 0;
}

static int cannot_reflink(xenfork_ctx *ctx, int errnoval, const char *step,
                          const char *src, const char *dst)
{
    int rc = xenfork__fail(ctx, XENFORK_E_DISK, errnoval, "cannot %s %s as %s",
                           step, src, dst);

    if (errnoval == EOPNOTSUPP || errnoval == EXDEV || errnoval == EINVAL ||
        errnoval == ENOTTY)
        xenfork__remedy(ctx, REMEDY);
    return rc;
}

int xenfork__sys_reflink(xenfork_ctx *ctx, const char *src, const char *dst,
                         bool is_base)
{
    cleanup_close int in = -1;
    cleanup_close int out = -1;
    const char *step = "open";
    int e;

    LOG_DEBUG(ctx, "reflinking %s as %s", src, dst);
    in = open(src, O_RDONLY | O_CLOEXEC);
    if (in < 0)
        return cannot_reflink(ctx, errno, step, src, dst);
    out = open(dst, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (out < 0)
        return cannot_reflink(ctx, errno, "create a reflink of", src, dst);
    if (fill_copy(in, out, is_base, &step) < 0 ||
        ((step = "write out a reflink of"),
         sync_copy(ctx, out, dst, is_base) < 0)) {
        e = errno;
        unlink(dst);
        return cannot_reflink(ctx, e, step, src, dst);
    }
    return 0;
}

/* Tell by errno that the file system has no FIEMAP, as NFS and tmpfs. */
static bool has_no_fiemap(void)
{
    return errno == EOPNOTSUPP || errno == ENOTTY || errno == ENOSYS;
}

int xenfork__sys_extents(xenfork_ctx *ctx, const char *path,
                         uint64_t *extents_out)
{
    cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct fiemap map = {.fm_length = FIEMAP_MAX_OFFSET};

    if (fd < 0 || (ioctl(fd, FS_IOC_FIEMAP, &map) < 0 && !has_no_fiemap()))
        return xenfork__fail(ctx, XENFORK_E_DISK, errno,
                             "cannot count the extents of %s", path);
    *extents_out = map.fm_mapped_extents;
    return 0;
}

#define EXTENTS 128U /* in one call */

/* Add up the extents from map->fm_start on, and set it for the next call. */
static bool add_extents(struct fiemap *map, uint64_t *allocated, uint64_t *own)
{
    uint32_t i;

    for (i = 0; i < map->fm_mapped_extents; i++) {
        const struct fiemap_extent *extent = &map->fm_extents[i];

        *allocated += extent->fe_length;
        if (!(extent->fe_flags & FIEMAP_EXTENT_SHARED))
            *own += extent->fe_length;
        map->fm_start = extent->fe_logical + extent->fe_length;
        if (extent->fe_flags & FIEMAP_EXTENT_LAST)
            return false;
    }
    return map->fm_mapped_extents > 0;
}

/* Count the blocks; this file system cannot tell how many are shared. */
static int count_blocks(xenfork_ctx *ctx, int fd, const char *path,
                        uint64_t *allocated_kib_out, uint64_t *own_kib_out)
{
    struct stat st;

    if (fstat(fd, &st))
        return xenfork__fail(ctx, XENFORK_E_DISK, errno, "cannot examine %s",
                             path);
    *allocated_kib_out = (uint64_t)st.st_blocks / 2;
    *own_kib_out = XENFORK_NOT_KNOWN;
    return 0;
}

int xenfork__sys_file_usage(xenfork_ctx *ctx, const char *path,
                            uint64_t *allocated_kib_out, uint64_t *own_kib_out)
{
    cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
    cleanup_free struct fiemap *map = calloc(
        1, sizeof(*map) + EXTENTS * sizeof(struct fiemap_extent));
    uint64_t allocated = 0, own = 0;

    if (!map)
        return xenfork__nomem(ctx);
    do {
        map->fm_length = FIEMAP_MAX_OFFSET - map->fm_start;
        map->fm_extent_count = EXTENTS;
        if (fd < 0 || ioctl(fd, FS_IOC_FIEMAP, map) < 0)
            return fd >= 0 && has_no_fiemap()
                       ? count_blocks(ctx, fd, path, allocated_kib_out,
                                      own_kib_out)
                       : xenfork__fail(ctx, XENFORK_E_DISK, errno,
                                       "cannot list the extents of %s", path);
    } while (add_extents(map, &allocated, &own));
    *allocated_kib_out = allocated / 1024;
    *own_kib_out = own / 1024;
    return 0;
}

/*
 * Reflink the first block of the very file into a file without a name in the
 * same folder; or -1 and errno.
 */
static int probe(int file, const char *dir, uint64_t block_bytes)
{
    cleanup_close int to = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    struct file_clone_range range = {.src_fd = file};
    struct stat st;

    if (to < 0 || fstat(file, &st) || take_checksums(file, to) < 0)
        return -1;
    /* 0: to the end, which need not be that of a block. */
    if ((uint64_t)st.st_size > block_bytes)
        range.src_length = block_bytes;
    return ioctl(to, FICLONERANGE, &range);
}

static int no_reflinks(xenfork_ctx *ctx, const char *path, int e)
{
    switch (e) {
    case EXDEV:
        xenfork__miss(
            ctx, XENFORK_E_DISK,
            "%s is mounted there from another file system than that of its "
            "folder",
            path);
        return xenfork__remedy(ctx,
                               "give the path at which the file itself lies");
    case ETXTBSY:
        xenfork__miss(ctx, XENFORK_E_DISK, "%s is in use as swap space", path);
        return xenfork__remedy(ctx, "swapoff it first");
    case EROFS:
    case EPERM:
    case EACCES:
        xenfork__miss(ctx, XENFORK_E_DISK,
                      "no file can be made in the folder of %s: %s", path,
                      strerror(e));
        return xenfork__remedy(ctx, "mount its file system for writing, or "
                                    "chattr -i the folder");
    default:
        xenfork__miss(ctx, XENFORK_E_DISK,
                      "%s is on a file system that cannot reflink: %s", path,
                      strerror(e));
        return xenfork__remedy(ctx, REMEDY);
    }
}

int xenfork__sys_can_reflink(xenfork_ctx *ctx, const char *path,
                             bool *is_full_out)
{
    cleanup_free char *real = realpath(path, NULL);
    cleanup_free char *dir = real ? directory_of(real) : NULL;
    cleanup_close int fd = real ? open(real, O_RDONLY | O_CLOEXEC) : -1;
    struct statfs fs;

    if (fd < 0 || fstatfs(fd, &fs) < 0)
        return xenfork__miss(ctx, XENFORK_E_DISK, "cannot examine %s: %s", path,
                             strerror(errno));
    if (!dir)
        return xenfork__nomem(ctx);
    errno = EOPNOTSUPP;
    if (((unsigned long)fs.f_type == XFS_SUPER_MAGIC ||
         (unsigned long)fs.f_type == BTRFS_SUPER_MAGIC) &&
        probe(fd, dir, (uint64_t)fs.f_bsize) == 0)
        return 0;
    *is_full_out = errno == ENOSPC || errno == EDQUOT;
    return no_reflinks(ctx, path, errno);
}

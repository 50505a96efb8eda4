/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Files and devices that disks lie in. */
#include "host/dm.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "base/file.h"
#include "host/host.h"
#include "host/run.h"

#define HELPER     XENFORK_LIBEXEC_DIR "/xenfork-block"
#define FULL_BYTES (1 << 20)
#define NO_TIMEOUT "/sys/module/dm_thin_pool/parameters/no_space_timeout"

static int file_failed(xenfork_ctx *ctx, const char *what, const char *path)
{
    return xenfork__fail(ctx, XENFORK_E_DISK, errno, "cannot %s %s", what,
                         path);
}

int xenfork__sys_disk_identity(xenfork_ctx *ctx, const char *path,
                               struct xenfork__disk_identity *identity_out)
{
    cleanup_close int fd = open(path, O_PATH | O_CLOEXEC);
    struct stat st;

    if (fd < 0 || fstat(fd, &st))
        return file_failed(ctx, "find", path);
    if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode))
        return xenfork__fail(ctx, XENFORK_E_DISK, 0,
                             "%s is neither a file nor a block device", path);
    *identity_out = xenfork__disk_identity_of(&st);
    return 0;
}

int xenfork__sys_disk_size(xenfork_ctx *ctx, const char *path,
                           uint64_t *bytes_out, bool *is_file_out)
{
    cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    uint64_t bytes;

    if (fd < 0 || fstat(fd, &st))
        return file_failed(ctx, "examine", path);
    bytes = (uint64_t)st.st_size;
    if (!S_ISREG(st.st_mode) && ioctl(fd, BLKGETSIZE64, &bytes) < 0)
        return file_failed(ctx, "get the size of", path);
    *bytes_out = bytes;
    if (is_file_out)
        *is_file_out = S_ISREG(st.st_mode);
    return 0;
}

int xenfork__sys_disk_flush(xenfork_ctx *ctx, const char *path)
{
    return xenfork__sync_file(path) ? file_failed(ctx, "flush", path) : 0;
}

int xenfork__sys_file_extend(xenfork_ctx *ctx, const char *path, uint64_t bytes)
{
    cleanup_close int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    int r;

    if (fd < 0)
        return file_failed(ctx, "make", path);
    do {
        r = fallocate(fd, 0, 0, (off_t)bytes);
    } while (r && errno == EINTR);
    if (r && (errno == ENOSPC || errno == EDQUOT))
        return xenfork__miss(ctx, XENFORK_E_BUSY, "no space for %s", path);
    return r || fsync(fd) ? file_failed(ctx, "make room for", path) : 0;
}

/*
 * Tell by a temporary file whether the file system is full: it may keep for
 * itself what statvfs(3) reports as free.
 */
bool xenfork__sys_is_full(const char *path)
{
    size_t bytes = (size_t)(strrchr(path, '/') - path) + 1;
    cleanup_free char *dir = strndup(path, bytes);
    cleanup_close int fd = dir ? open(dir, O_TMPFILE | O_WRONLY | O_CLOEXEC,
                                      0600)
                               : -1;

    return dir && (fd < 0 || fallocate(fd, 0, 0, FULL_BYTES)) &&
           (errno == ENOSPC || errno == EDQUOT);
}

int xenfork__sys_file_protect(xenfork_ctx *ctx, const char *path,
                              bool is_protected)
{
    cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    int flags, wanted;

    if (fd < 0 || fstat(fd, &st))
        return errno == ENOENT ? 0 : file_failed(ctx, "open", path);
    if (!S_ISREG(st.st_mode))
        return 0;
    if (ioctl(fd, FS_IOC_GETFLAGS, &flags) < 0)
        return errno == ENOTTY || errno == EOPNOTSUPP
                   ? 0
                   : file_failed(ctx, "examine", path);
    wanted = is_protected ? flags | FS_IMMUTABLE_FL : flags & ~FS_IMMUTABLE_FL;
    if (wanted != flags && ioctl(fd, FS_IOC_SETFLAGS, &wanted) < 0 &&
        errno != EOPNOTSUPP)
        return file_failed(ctx, is_protected ? "protect" : "free", path);
    if (wanted != flags && !is_protected && fsync(fd))
        return file_failed(ctx, "flush", path);
    return 0;
}

/*
 * Try to set the flags that the file has: this changes nothing, but tells
 * whether it is possible.
 */
int xenfork__sys_file_can_protect(xenfork_ctx *ctx, const char *path,
                                  bool *can_out)
{
    cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat st;
    int flags;

    if (fd < 0 || fstat(fd, &st))
        return file_failed(ctx, "open", path);
    *can_out = S_ISREG(st.st_mode) && ioctl(fd, FS_IOC_GETFLAGS, &flags) == 0 &&
               ((flags & FS_IMMUTABLE_FL) ||
                ioctl(fd, FS_IOC_SETFLAGS, &flags) == 0);
    return 0;
}

int xenfork__sys_file_is_protected(xenfork_ctx *ctx, const char *path,
                                   bool *is_out)
{
    cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    int flags;

    if (fd < 0)
        return file_failed(ctx, "open", path);
    *is_out = ioctl(fd, FS_IOC_GETFLAGS, &flags) == 0 &&
              (flags & FS_IMMUTABLE_FL);
    return 0;
}

/* Read @bytes, or fewer where the device ends; -1: errno */
static ssize_t read_at(int fd, uint8_t *data, size_t bytes, off_t at)
{
    size_t used = 0;
    ssize_t n = 1;

    while (used < bytes && n) {
        n = pread(fd, data + used, bytes - used, at + (off_t)used);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        used += (size_t)n;
    }
    return (ssize_t)used;
}

static bool write_at(int fd, const uint8_t *data, size_t bytes, off_t at)
{
    size_t used = 0;

    while (used < bytes) {
        ssize_t n = pwrite(fd, data + used, bytes - used, at + (off_t)used);

        if (n < 0 && errno != EINTR)
            return false;
        used += n < 0 ? 0 : (size_t)n;
    }
    return true;
}

int xenfork__sys_disk_copy(xenfork_ctx *ctx, const char *from, const char *to,
                           const uint64_t *blocks, size_t count,
                           size_t block_bytes)
{
    cleanup_close int in = open(from, O_RDONLY | O_CLOEXEC);
    cleanup_close int out = open(to, O_WRONLY | O_CLOEXEC);
    cleanup_free uint8_t *data = malloc(block_bytes);
    bool ok = in >= 0 && out >= 0;
    size_t i;

    if (!data)
        return xenfork__nomem(ctx);
    for (i = 0; i < count && ok; i++) {
        off_t at = (off_t)(blocks[i] * block_bytes);
        ssize_t n = read_at(in, data, block_bytes, at);

        ok = n >= 0 && write_at(out, data, (size_t)n, at);
    }
    return ok && fsync(out) == 0
               ? 0
               : file_failed(ctx, "write what has changed into", to);
}

/*
 * Set the module's timeout to 0, for all pools: otherwise writers would get
 * errors after a minute, which their guests handle badly.
 */
static void wait_for_space(xenfork_ctx *ctx)
{
    cleanup_close int fd = open(NO_TIMEOUT, O_RDWR | O_CLOEXEC);
    char old = '\0';

    if (fd < 0 || read(fd, &old, 1) != 1 ||
        (old != '0' && pwrite(fd, "0", 1, 0) != 1))
        LOG_WARN(ctx,
                 "cannot write %s: writes that wait for space fail after a "
                 "minute, ignoring",
                 NO_TIMEOUT);
}

int xenfork__sys_pool_watch(xenfork_ctx *ctx, const char *dir, const char *data)
{
    const char *const argv[] = {HELPER, "watch", dir, NULL};
    int fd = open(data, O_RDONLY | O_CLOEXEC);
    bool is_watched;

    if (fd < 0)
        return file_failed(ctx, "open", data);
    is_watched = flock(fd, LOCK_EX | LOCK_NB) != 0;
    close(fd);
    if (is_watched)
        return 0;
    wait_for_space(ctx);
    return xenfork__sys_run(ctx, XENFORK_E_DISK, argv, NULL);
}

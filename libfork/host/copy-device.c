/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A device copied to another one: what differs is written.  So holes stay
 * holes, and one that was begun is gone on with.
 */
#include "base/internal.h"

#include "host/host.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#define CHUNK (2U << 20)
#define UNIT  (64U << 10)
#define ALIGN 4096U

/* Open a device past the host's cache, which it would fill. */
static int open_uncached(xenfork_ctx *ctx, const char *path, int flags,
                         uint64_t *bytes_out)
{
    int fd = open(path, flags | O_DIRECT | O_CLOEXEC);

    if (fd >= 0 && ioctl(fd, BLKGETSIZE64, bytes_out) == 0)
        return fd;
    xenfork__fail(ctx, XENFORK_E_DISK, errno, "cannot open %s", path);
    xenfork__close_fd(&fd);
    return -1;
}

struct pair {
    int from, to;
    uint8_t *had, *has; /* a chunk of each */
    const char *path;
};

static int read_piece(xenfork_ctx *ctx, int fd, uint8_t *data, size_t bytes,
                      uint64_t at)
{
    return pread(fd, data, bytes, (off_t)at) == (ssize_t)bytes
               ? 0
               : xenfork__fail(ctx, XENFORK_E_DISK, errno,
                               "cannot read a disk that is copied");
}

static int copy_chunk(xenfork_ctx *ctx, const struct pair *pair, uint64_t at,
                      size_t bytes, uint64_t *moved_out)
{
    size_t i, unit;
    int rc;

    if ((rc = read_piece(ctx, pair->from, pair->had, bytes, at)) < 0 ||
        (rc = read_piece(ctx, pair->to, pair->has, bytes, at)) < 0)
        return rc;
    *moved_out = 0;
    for (i = 0; i < bytes; i += unit) {
        unit = bytes - i < UNIT ? bytes - i : UNIT;
        if (!memcmp(pair->had + i, pair->has + i, unit))
            continue;
        if (pwrite(pair->to, pair->had + i, unit, (off_t)(at + i)) !=
            (ssize_t)unit)
            return xenfork__fail(ctx, XENFORK_E_DISK, errno, "cannot write %s",
                                 pair->path);
        *moved_out += unit;
    }
    return 0;
}

static int copy_areas(xenfork_ctx *ctx, const struct pair *pair, uint64_t total,
                      const struct xenfork__device_copy *job)
{
    uint64_t at, moved = 0;
    int rc = 0;

    for (at = 0; at < total && rc == 0; at += CHUNK) {
        size_t bytes = total - at < CHUNK ? (size_t)(total - at) : CHUNK;

        rc = copy_chunk(ctx, pair, at, bytes, &moved);
        if (rc == 0)
            rc = job->step(ctx, job->opaque, at + bytes, total, moved);
    }
    return rc;
}

int xenfork__sys_copy_device(xenfork_ctx *ctx,
                             const struct xenfork__device_copy *job)
{
    uint64_t from_bytes = 0, to_bytes = 0;
    cleanup_close int from = open_uncached(ctx, job->src, O_RDONLY,
                                           &from_bytes);
    cleanup_close int to = -1;
    cleanup_free uint8_t *buffer = NULL;

    if (from < 0)
        return ctx->error.code;
    to = open_uncached(ctx, job->dst, O_RDWR, &to_bytes);
    if (to < 0)
        return ctx->error.code;
    if (from_bytes != to_bytes)
        return xenfork__fail(ctx, XENFORK_E_DISK, 0, "%s and %s differ in size",
                             job->src, job->dst);
    buffer = aligned_alloc(ALIGN, 2UL * CHUNK);
    if (!buffer)
        return xenfork__nomem(ctx);
    return copy_areas(ctx,
                      &(struct pair){.from = from,
                                     .to = to,
                                     .had = buffer,
                                     .has = buffer + CHUNK,
                                     .path = job->dst},
                      from_bytes, job);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Make a VHD without a parent out of an empty one with a parent: vhd-util can
 * make one only in whole MiB.  Footer and header are as in Microsoft's Virtual
 * Hard Disk Image Format Specification 1.0; numbers are big-endian.
 */
#include "base/internal.h"

#include "host/host.h"

#include <endian.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define SECTOR        512
#define FOOTER_COOKIE "conectix"
#define HEADER_COOKIE "cxsparse"
#define TYPE_DYNAMIC  3U

/* Where it is in the footer, or in the header. */
enum {
    FOOTER_HEADER = 16, /* where the header is, in bytes */
    FOOTER_TYPE = 60,
    FOOTER_SUM = 64,
    FOOTER_UUID = 68,
    HEADER_BYTES = 1024,
    HEADER_SUM = 36,
    HEADER_PARENT = 40, /* all of it, to the end of the places to look */
    HEADER_PARENT_END = 768,
};

static void sign(uint8_t *data, size_t bytes, size_t at)
{
    uint32_t sum = 0;
    size_t i;

    memset(data + at, 0, sizeof(sum));
    for (i = 0; i < bytes; i++)
        sum += data[i];
    sum = htobe32(~sum);
    memcpy(data + at, &sum, sizeof(sum));
}

static int malformed_vhd(xenfork_ctx *ctx, const char *path)
{
    return xenfork__fail(ctx, XENFORK_E_DISK, 0,
                         "%s is not a VHD of the expected form", path);
}

/* Read the copy of the footer at the beginning. */
static int read_footer(xenfork_ctx *ctx, int fd, const char *path,
                       uint8_t footer[SECTOR])
{
    return pread(fd, footer, SECTOR, 0) == SECTOR &&
                   !memcmp(footer, FOOTER_COOKIE, strlen(FOOTER_COOKIE))
               ? 0
               : malformed_vhd(ctx, path);
}

static int write_header_at(xenfork_ctx *ctx, int fd, const char *path,
                           const uint8_t *data, size_t bytes, off_t at)
{
    return pwrite(fd, data, bytes, at) == (ssize_t)bytes
               ? 0
               : xenfork__fail(ctx, XENFORK_E_DISK, errno, "cannot write %s",
                               path);
}

static int forget_parent(xenfork_ctx *ctx, int fd, const char *path, off_t at)
{
    uint8_t header[HEADER_BYTES];

    if (pread(fd, header, sizeof(header), at) != sizeof(header) ||
        memcmp(header, HEADER_COOKIE, strlen(HEADER_COOKIE)) != 0)
        return malformed_vhd(ctx, path);
    memset(header + HEADER_PARENT, 0, HEADER_PARENT_END - HEADER_PARENT);
    sign(header, sizeof(header), HEADER_SUM);
    return write_header_at(ctx, fd, path, header, sizeof(header), at);
}

/* Write first the header, then both footers, of which the last one counts. */
static int stand_alone(xenfork_ctx *ctx, int fd, const char *path,
                       const uint8_t uuid[16])
{
    uint8_t footer[SECTOR], last[SECTOR];
    uint32_t type = htobe32(TYPE_DYNAMIC);
    uint64_t header;
    struct stat st;
    int rc = read_footer(ctx, fd, path, footer);

    if (rc < 0)
        return rc;
    memcpy(&header, footer + FOOTER_HEADER, sizeof(header));
    header = be64toh(header);
    if (fstat(fd, &st) || st.st_size < 3 * SECTOR ||
        header > (uint64_t)st.st_size ||
        pread(fd, last, SECTOR, st.st_size - SECTOR) != SECTOR ||
        memcmp(last, footer, SECTOR) != 0)
        return malformed_vhd(ctx, path);
    memcpy(footer + FOOTER_TYPE, &type, sizeof(type));
    memcpy(footer + FOOTER_UUID, uuid, 16);
    sign(footer, sizeof(footer), FOOTER_SUM);
    if ((rc = forget_parent(ctx, fd, path, (off_t)header)) < 0 ||
        (rc = write_header_at(ctx, fd, path, footer, SECTOR, 0)) < 0)
        return rc;
    return write_header_at(ctx, fd, path, footer, SECTOR, st.st_size - SECTOR);
}

int xenfork__sys_vhd_stand_alone(xenfork_ctx *ctx, const char *path,
                                 const char *like)
{
    cleanup_close int fd = open(path, O_RDWR | O_CLOEXEC);
    cleanup_close int other = open(like, O_RDONLY | O_CLOEXEC);
    uint8_t footer[SECTOR];
    int rc;

    if (fd < 0 || other < 0)
        return xenfork__fail(ctx, XENFORK_E_DISK, errno, "cannot open %s",
                             fd < 0 ? path : like);
    rc = read_footer(ctx, other, like, footer);
    return rc < 0 ? rc : stand_alone(ctx, fd, path, footer + FOOTER_UUID);
}

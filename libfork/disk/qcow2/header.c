/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "disk/qcow2/header.h"

#include <endian.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "state/files.h"

#define MAGIC          0x514649fbU /* "QFI\xfb" */
#define BYTES_V2       72U
#define BYTES_V3       104U
#define MIN_BITS       9U
#define MAX_BITS       21U
#define OWN_BITS       16U
#define MAX_NAME       1023U
#define EXT_END        0U
#define EXT_FORMAT     0xe2792acaU
#define HEAD_BYTES     65536U /* of the first cluster, as far as we look */
#define HAS_CORRUPTION (1U << 1)
#define HAS_DATA_FILE  (1U << 2)
#define KNOWN_FEATURES 0x1fU /* up to extended L2 entries */

struct header {
    uint32_t magic, version;
    uint64_t backing_offset;
    uint32_t backing_bytes, cluster_bits;
    uint64_t size_bytes;
    uint32_t crypt_method, l1_size;
    uint64_t l1_offset, refcounts_offset;
    uint32_t refcounts_clusters, snapshots;
    uint64_t snapshots_offset;
    /* From version 3 on. */
    uint64_t incompatible, compatible, autoclear;
    uint32_t refcount_order, header_bytes;
} __attribute__((packed));
_Static_assert(sizeof(struct header) == BYTES_V3, "layout");

struct extension {
    uint32_t type, bytes;
};

void xenfork__qcow2_free(struct xenfork__qcow2 *qcow2)
{
    xenfork__free_ptr(&qcow2->backing);
}

static int none(xenfork_ctx *ctx, const char *path)
{
    return xenfork__miss(ctx, XENFORK_E_DISK, "%s is not a qcow2 file", path);
}

static int malformed_qcow2(xenfork_ctx *ctx, const char *path)
{
    return xenfork__miss(ctx, XENFORK_E_STATE,
                         "the qcow2 header of %s is malformed", path);
}

static int unreadable_qcow2(xenfork_ctx *ctx, const char *path)
{
    return xenfork__fail(ctx, XENFORK_E_STATE, errno, "cannot read %s", path);
}

static const char *trouble_of(const struct header *h, uint64_t incompatible)
{
    if (h->crypt_method)
        return "it is encrypted";
    if (incompatible & HAS_DATA_FILE)
        return "its data are in another file";
    if (incompatible & HAS_CORRUPTION)
        return "it is marked as corrupt";
    if (incompatible & ~(uint64_t)KNOWN_FEATURES)
        return "it has features that are unknown";
    return NULL;
}

/* Tell whether the format of the backing file is given as raw. */
static bool is_raw_backing(const uint8_t *head, size_t bytes, size_t at)
{
    struct extension ext;

    while (at + sizeof(ext) <= bytes) {
        memcpy(&ext, head + at, sizeof(ext));
        at += sizeof(ext);
        ext.type = be32toh(ext.type);
        ext.bytes = be32toh(ext.bytes);
        if (ext.type == EXT_END || ext.bytes > bytes - at)
            return false;
        if (ext.type == EXT_FORMAT)
            return ext.bytes == 3 && !memcmp(head + at, "raw", 3);
        at += (ext.bytes + 7U) & ~7U;
    }
    return false;
}

static int read_backing(xenfork_ctx *ctx, const char *path, const uint8_t *head,
                        size_t bytes, const struct header *h,
                        struct xenfork__qcow2 *out)
{
    uint64_t offset = be64toh(h->backing_offset);
    uint32_t length = be32toh(h->backing_bytes);

    if (!offset)
        return 0;
    if (!length || length > MAX_NAME || offset > bytes ||
        length > bytes - offset || memchr(head + offset, '\0', length))
        return malformed_qcow2(ctx, path);
    out->backing = strndup((const char *)head + offset, length);
    return out->backing ? 0 : xenfork__nomem(ctx);
}

static int parse_header(xenfork_ctx *ctx, const char *path, const uint8_t *head,
                        size_t bytes, struct xenfork__qcow2 *out)
{
    struct header h = {0};
    uint32_t version;
    size_t end = BYTES_V2;

    if (bytes < BYTES_V2)
        return none(ctx, path);
    memcpy(&h, head, BYTES_V2);
    version = be32toh(h.version);
    if (be32toh(h.magic) != MAGIC)
        return none(ctx, path);
    if ((version != 2 && version != 3) || (version == 3 && bytes < BYTES_V3))
        return malformed_qcow2(ctx, path);
    if (version == 3) {
        memcpy(&h, head, BYTES_V3);
        end = be32toh(h.header_bytes);
    }
    out->size_bytes = be64toh(h.size_bytes);
    out->cluster_bits = be32toh(h.cluster_bits);
    out->trouble = trouble_of(&h, be64toh(h.incompatible));
    out->is_backing_raw = is_raw_backing(head, bytes, end);
    if (out->cluster_bits < MIN_BITS || out->cluster_bits > MAX_BITS)
        return malformed_qcow2(ctx, path);
    return read_backing(ctx, path, head, bytes, &h, out);
}

int xenfork__qcow2_read(xenfork_ctx *ctx, const char *path,
                        struct xenfork__qcow2 *out)
{
    cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    cleanup_free uint8_t *head = malloc(HEAD_BYTES);
    cleanup_qcow2 struct xenfork__qcow2 found = {0};
    struct stat st;
    ssize_t n;
    int rc;

    if (!head)
        return xenfork__nomem(ctx);
    if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
        return xenfork__miss(ctx, XENFORK_E_NOTFOUND, "there is no %s", path);
    if (fd < 0 || fstat(fd, &st))
        return unreadable_qcow2(ctx, path);
    if (!S_ISREG(st.st_mode))
        return none(ctx, path);
    n = pread(fd, head, HEAD_BYTES, 0);
    if (n < 0)
        return unreadable_qcow2(ctx, path);
    rc = parse_header(ctx, path, head, (size_t)n, &found);
    if (rc < 0)
        return rc;
    *out = found;
    found = (struct xenfork__qcow2){0};
    return 0;
}

/* Header, refcount table, one refcount block, L1 table: a cluster at least. */
struct layout {
    uint64_t cluster_bytes, l1_entries, clusters;
};

static bool lay_out(const struct xenfork__qcow2 *from, uint32_t bits,
                    struct layout *out)
{
    uint64_t cluster = 1ULL << bits;
    uint64_t covered = cluster * (cluster / 8);

    out->cluster_bytes = cluster;
    out->l1_entries = from->size_bytes / covered +
                      (from->size_bytes % covered != 0);
    out->clusters = 3 + (out->l1_entries * 8 + cluster - 1) / cluster;
    /* 16 bits for each cluster, in one block. */
    return out->clusters <= cluster / 2 && out->l1_entries <= UINT32_MAX;
}

static size_t put_header(uint8_t *head, const struct xenfork__qcow2 *from,
                         uint32_t bits, const struct layout *l,
                         const char *backing)
{
    static const char format[8] = "qcow2";
    const struct extension ext = {htobe32(EXT_FORMAT), htobe32(5)};
    size_t at = sizeof(struct header), name;
    struct header h = {
        .magic = htobe32(MAGIC),
        .version = htobe32(3),
        .backing_bytes = htobe32((uint32_t)strlen(backing)),
        .cluster_bits = htobe32(bits),
        .size_bytes = htobe64(from->size_bytes),
        .l1_size = htobe32((uint32_t)l->l1_entries),
        .l1_offset = htobe64(3 * l->cluster_bytes),
        .refcounts_offset = htobe64(l->cluster_bytes),
        .refcounts_clusters = htobe32(1),
        .refcount_order = htobe32(4),
        .header_bytes = htobe32(sizeof(h)),
    };

    memcpy(head + at, &ext, sizeof(ext));
    memcpy(head + at + sizeof(ext), format, sizeof(format));
    /* The extension that ends them is zero. */
    name = at + sizeof(ext) + sizeof(format) + sizeof(ext);
    h.backing_offset = htobe64(name);
    memcpy(head, &h, sizeof(h));
    memcpy(head + name, backing, strlen(backing));
    return name + strlen(backing);
}

static bool put_at(int fd, const void *data, size_t bytes, uint64_t at)
{
    return pwrite(fd, data, bytes, (off_t)at) == (ssize_t)bytes;
}

/*
 * Write an empty file; parts that are not written are zero: an L1 table without
 * entries.
 */
static bool write_layout(int fd, const struct xenfork__qcow2 *from,
                         uint32_t bits, const struct layout *l,
                         const char *backing)
{
    cleanup_free uint8_t *head = calloc(1, 4096);
    cleanup_free uint16_t *counts = calloc(l->clusters, sizeof(*counts));
    uint64_t block = htobe64(2 * l->cluster_bytes), i;
    size_t bytes;

    if (!head || !counts)
        return false;
    for (i = 0; i < l->clusters; i++)
        counts[i] = htobe16(1);
    bytes = put_header(head, from, bits, l, backing);
    return ftruncate(fd, (off_t)(l->clusters * l->cluster_bytes)) == 0 &&
           put_at(fd, &block, sizeof(block), l->cluster_bytes) &&
           put_at(fd, counts, l->clusters * sizeof(*counts),
                  2 * l->cluster_bytes) &&
           put_at(fd, head, bytes, 0);
}

int xenfork__qcow2_create(xenfork_ctx *ctx, const char *from,
                          const char *backing, const char *path)
{
    cleanup_qcow2 struct xenfork__qcow2 base = {0};
    cleanup_close int fd = -1;
    struct layout layout;
    uint32_t bits;
    int rc = xenfork__qcow2_read(ctx, from, &base);

    if (rc < 0)
        return xenfork__fail(ctx, XENFORK_E_DISK, 0,
                             "%s cannot be read as a qcow2 file", from);
    /* A cluster of the overlay must hide whole clusters of the backing file. */
    bits = base.cluster_bits > OWN_BITS ? base.cluster_bits : OWN_BITS;
    if (strlen(backing) > MAX_NAME || !lay_out(&base, bits, &layout))
        return xenfork__fail(ctx, XENFORK_E_DISK, 0,
                             "%s is too large, or its name is too long", from);
    fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return xenfork__fail(ctx, XENFORK_E_DISK, errno, "cannot create %s",
                             path);
    if (!write_layout(fd, &base, bits, &layout, backing) ||
        xenfork__take_owner(fd, from) || fsync(fd)) {
        rc = xenfork__fail(ctx, XENFORK_E_DISK, errno, "cannot write %s", path);
        unlink(path);
        return rc;
    }
    return 0;
}

/* Tell whether it is a file's name, and not another protocol of QEMU's. */
static bool is_file_name(const char *name)
{
    size_t colon = strcspn(name, ":");

    return !name[colon] || memchr(name, '/', colon);
}

int xenfork__qcow2_parent(xenfork_ctx *ctx, const char *path, char **parent_out)
{
    cleanup_qcow2 struct xenfork__qcow2 qcow2 = {0};
    const char *slash = strrchr(path, '/');
    int rc = xenfork__qcow2_read(ctx, path, &qcow2);

    if (rc == XENFORK_E_DISK ||
        (rc == 0 && (!qcow2.backing || qcow2.is_backing_raw ||
                     !is_file_name(qcow2.backing)))) {
        *parent_out = NULL;
        return 0;
    }
    if (rc < 0)
        return rc;
    if (qcow2.backing[0] == '/' || !slash) {
        *parent_out = steal_ptr(qcow2.backing);
        return 0;
    }
    if (asprintf(parent_out, "%.*s/%s", (int)(slash - path), path,
                 qcow2.backing) < 0)
        return xenfork__nomem(ctx);
    return 0;
}

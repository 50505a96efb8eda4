/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "disk/thin/map.h"

#include <endian.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define BLOCK_BYTES   4096U
#define MAGIC         27022010U /* THIN_SUPERBLOCK_MAGIC */
#define MAGIC_AT      32U
#define FORMAT        2U
#define FORMAT_AT     40U
#define MAPPINGS_AT   320U /* root of the tree of devices */
#define NODE_BYTES    32U  /* of a node's header */
#define FLAGS_AT      4U
#define COUNT_AT      16U
#define ROOM_AT       20U
#define SIZE_AT       24U
#define INTERNAL_NODE 1U
#define MAX_LEVELS    16U /* more are no tree any more */

struct walk {
    xenfork_ctx *ctx;
    const char *path;
    int fd;
    uint64_t device;
    uint64_t root; /* of the device's own tree; 0: not found */
    uint64_t left; /* blocks that a tree may have still: as many as the file */
    struct xenfork__thin_map *map; /* NULL: the tree of devices */
};

static uint32_t get32(const uint8_t *at)
{
    uint32_t value;

    memcpy(&value, at, sizeof(value));
    return le32toh(value);
}

static uint64_t get64(const uint8_t *at)
{
    uint64_t value;

    memcpy(&value, at, sizeof(value));
    return le64toh(value);
}

static int malformed_map(const struct walk *walk)
{
    return xenfork__fail(walk->ctx, XENFORK_E_STATE, 0,
                         "the metadata in %s cannot be understood", walk->path);
}

static int read_block(const struct walk *walk, uint64_t block,
                      uint8_t data[BLOCK_BYTES])
{
    ssize_t n;

    if (block > INT64_MAX / BLOCK_BYTES)
        return malformed_map(walk);
    n = pread(walk->fd, data, BLOCK_BYTES, (off_t)(block * BLOCK_BYTES));
    return n == (ssize_t)BLOCK_BYTES ? 0 : malformed_map(walk);
}

static int add_block(struct walk *walk, uint64_t block)
{
    struct xenfork__thin_map *map = walk->map;
    uint64_t *more;

    if (map->count && map->blocks[map->count - 1] >= block)
        return malformed_map(walk);
    if (map->count == map->room) {
        more = reallocarray(map->blocks, map->room * 2 + 1024, sizeof(*more));
        if (!more)
            return xenfork__nomem(walk->ctx);
        map->blocks = more;
        map->room = map->room * 2 + 1024;
    }
    map->blocks[map->count++] = block;
    return 0;
}

/*
 * Read a leaf: the tree of devices has roots as values, the other tree blocks.
 */
static int take_leaf(struct walk *walk, uint64_t key, const uint8_t *value)
{
    if (walk->map)
        return add_block(walk, key);
    if (key == walk->device)
        walk->root = get64(value);
    return 0;
}

/* Descend into a block; both trees have values of 8 bytes. */
static int descend(struct walk *walk, uint64_t block, uint32_t level)
{
    cleanup_free uint8_t *node = malloc(BLOCK_BYTES);
    uint32_t count, room, i;
    const uint8_t *keys, *values;
    int rc;

    if (!node)
        return xenfork__nomem(walk->ctx);
    if ((rc = read_block(walk, block, node)) < 0)
        return rc;
    count = get32(node + COUNT_AT);
    room = get32(node + ROOM_AT);
    if (level == MAX_LEVELS || walk->left == 0 || get32(node + SIZE_AT) != 8 ||
        count > room || room > (BLOCK_BYTES - NODE_BYTES) / 16)
        return malformed_map(walk);
    walk->left--;
    keys = node + NODE_BYTES;
    values = keys + (size_t)room * 8;
    for (i = 0; i < count && rc >= 0; i++) {
        if (get32(node + FLAGS_AT) & INTERNAL_NODE)
            rc = descend(walk, get64(values + (size_t)i * 8), level + 1);
        else
            rc = take_leaf(walk, get64(keys + (size_t)i * 8),
                           values + (size_t)i * 8);
    }
    return rc;
}

int xenfork__thin_map(xenfork_ctx *ctx, const char *meta, uint64_t superblock,
                      uint64_t id, struct xenfork__thin_map *map_out)
{
    cleanup_close int fd = open(meta, O_RDONLY | O_CLOEXEC);
    cleanup_map struct xenfork__thin_map map = {0};
    struct walk walk = {.ctx = ctx, .path = meta, .fd = fd, .device = id};
    uint8_t super[BLOCK_BYTES];
    struct stat st;
    int rc;

    if (fd < 0 || fstat(fd, &st))
        return xenfork__fail(ctx, XENFORK_E_STATE, errno, "cannot open %s",
                             meta);
    if ((rc = read_block(&walk, superblock, super)) < 0)
        return rc;
    if (get64(super + MAGIC_AT) != MAGIC || get32(super + FORMAT_AT) != FORMAT)
        return malformed_map(&walk);
    walk.left = (uint64_t)st.st_size / BLOCK_BYTES;
    rc = descend(&walk, get64(super + MAPPINGS_AT), 0);
    if (rc == 0 && !walk.root)
        rc = xenfork__fail(ctx, XENFORK_E_STATE, 0, "%s knows no device %llu",
                           meta, (unsigned long long)id);
    walk.map = &map;
    walk.left = (uint64_t)st.st_size / BLOCK_BYTES;
    if (rc == 0)
        rc = descend(&walk, walk.root, 0);
    if (rc < 0)
        return rc;
    *map_out = map;
    map = (struct xenfork__thin_map){0};
    return 0;
}

void xenfork__thin_map_free(struct xenfork__thin_map *map)
{
    int e = errno;

    free(map->blocks);
    *map = (struct xenfork__thin_map){0};
    errno = e;
}

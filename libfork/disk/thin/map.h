/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Read which blocks a thin device has from the metadata of its pool: version 2
 * of dm-thin's format, which is little-endian and settled (dm-thin-metadata.c,
 * persistent-data/dm-btree-internal.h, Linux 3.2 and on).
 */
#ifndef LIBFORK_DISK_THIN_MAP_H
#define LIBFORK_DISK_THIN_MAP_H

#include "base/internal.h"

struct xenfork__thin_map {
    size_t count, room;
    uint64_t *blocks; /* ascending */
};

/*
 * Read a map.  meta: the file; superblock: the number of the block to begin
 * with.  STATE: it is not what it should be
 */
int xenfork__thin_map(xenfork_ctx *ctx, const char *meta, uint64_t superblock,
                      uint64_t id, struct xenfork__thin_map *map_out);
void xenfork__thin_map_free(struct xenfork__thin_map *map);

#define cleanup_map __attribute__((cleanup(xenfork__thin_map_free)))

#endif

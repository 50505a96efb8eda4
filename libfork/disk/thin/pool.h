/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The pool of thin devices in a folder: the files pool/data and pool/meta, and
 * a record.  The file system's space is taken before the pool may use it, so
 * no write that was acknowledged can fail for want of space: where there is
 * none, writers wait.  All calls are made under the folder's lock.
 */
#ifndef LIBFORK_DISK_THIN_POOL_H
#define LIBFORK_DISK_THIN_POOL_H

#include "base/internal.h"
#include "disk/thin/map.h"
#include "host/dm.h"

#define XENFORK__POOL_BLOCK_BYTES 65536U
#define XENFORK__SECTOR_BYTES     512U

/*
 * Name the pool's device: that of these files, whatever the folder is called.
 */
void xenfork__pool_name(const char *dir, char name_out[XENFORK__DM_NAME_BYTES]);
/*
 * Return the UUID by which records name the pool; caller frees.  NOTFOUND, not
 * logged: there is none
 */
int xenfork__pool_uuid(xenfork_ctx *ctx, const char *dir, char **uuid_out);
/* Return a digest (FNV-1a) for names of devices, which only root can choose. */
uint64_t xenfork__pool_digest(const char *text);
/* Put the pool into use; make it first if it does not exist. */
int xenfork__pool_use(xenfork_ctx *ctx, const char *dir);
/* Watch pools in use again whose watcher was killed. */
void xenfork__pools_watch(xenfork_ctx *ctx);
/*
 * Give the pool more space, if little is left.  DISK, with remedy: there is
 * none
 */
int xenfork__pool_grow(xenfork_ctx *ctx, const char *dir);
/* Return a device ID that was never used. */
int xenfork__pool_new_id(xenfork_ctx *ctx, const char *dir, uint64_t *id_out);
int xenfork__pool_make(xenfork_ctx *ctx, const char *dir, uint64_t id);
/* Make a snapshot of @from, which is in no use, or suspended. */
int xenfork__pool_snapshot(xenfork_ctx *ctx, const char *dir, uint64_t id,
                           uint64_t from);
/* Remove a thin device.  Absent already: success. */
int xenfork__pool_remove_device(xenfork_ctx *ctx, const char *dir, uint64_t id);
/* Return which blocks a device has to which nobody writes. */
int xenfork__pool_map(xenfork_ctx *ctx, const char *dir, uint64_t id,
                      struct xenfork__thin_map *map_out);
/* Take the pool out of use, if no thin device is in use. */
int xenfork__pool_release(xenfork_ctx *ctx, const char *dir);
/* Remove the pool with its files; absent already: success. */
int xenfork__pool_remove(xenfork_ctx *ctx, const char *dir);

#endif

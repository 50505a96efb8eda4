/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Disks of a fork: one driver for each, a transaction for all of them.
 * prepare while the source runs, cut while it does not (its rings drained),
 * then clones, as many and as late as wanted.  What a driver is about to make
 * is journaled before, under the driver's name: abort is the journal's.
 *
 * A path is whatever the driver calls a disk by, and libxl opens: a file, or
 * a device.
 */
#ifndef LIBFORK_DISK_H
#define LIBFORK_DISK_H

#include "internal.h"
#include "node.h"
#include "spec.h"
#include "txn.h"

struct xenfork__disk_driver {
    const char *name;
    const char *why; /* one uses it, in a few words */
    /* Can it fork this disk?  DISK with text and remedy, not logged */
    int (*probe)(xenfork_ctx *ctx, const struct xenfork__disk *disk);
    /* How a domain's disk is called; caller frees.  NULL: as the source's */
    int (*path)(xenfork_ctx *ctx, const struct xenfork__disk *disk,
                const uint8_t uuid[16], char **path_out);
    /* The source runs: whatever takes time. */
    int (*prepare)(xenfork_ctx *ctx, const char *from, const char *to);
    /* The source does not run: @to is sealed. */
    int (*cut)(xenfork_ctx *ctx, const char *from, const char *to);
    /* A delta of its own for a clone. */
    int (*clone)(xenfork_ctx *ctx, const char *from, const char *to);
    /* What cut or clone made, or had begun.  Absent already: success */
    int (*remove)(xenfork_ctx *ctx, const char *path);
    /* See xenfork_disk_usage(). */
    int (*usage)(xenfork_ctx *ctx, const char *path,
                 uint64_t *allocated_kib_out, uint64_t *own_kib_out);
};

extern const struct xenfork__disk_driver xenfork__disk_share;
extern const struct xenfork__disk_driver xenfork__disk_reflink;
extern const struct xenfork__disk_driver xenfork__disk_lvthin;

/* The driver of that name; NULL: there is none. */
const struct xenfork__disk_driver *xenfork__disk_driver(const char *name);
/*
 * The driver of a disk: the one that the caller wants, or the first that can.
 * DISK with text and remedy, not logged: none.  NULL: clones are without it
 */
int xenfork__disk_choose(xenfork_ctx *ctx, const xenfork_spec *spec,
                         const struct xenfork__disk *disk,
                         const struct xenfork__disk_driver **driver_out);
/* DISK, not logged: the caller wants something for a disk that is not there */
int xenfork__disks_wishes(xenfork_ctx *ctx, const xenfork_spec *spec,
                          const struct xenfork__config *config);
/* Of a name that a record or a journal has.  STATE: no such driver */
int xenfork__disk_remove(xenfork_ctx *ctx, const char *driver,
                         const char *path);

/* Add to the image's node what is to be sealed; journal and prepare it. */
int xenfork__disks_prepare(xenfork_ctx *ctx, struct xenfork__txn *txn,
                           const xenfork_spec *spec,
                           const struct xenfork__config *config,
                           struct xenfork__node *image);
int xenfork__disks_cut(xenfork_ctx *ctx, const struct xenfork__config *config,
                       const struct xenfork__node *image);
/*
 * Disks for a clone, added to its node.  disks_out: one for each of the
 * configuration, its path owned by the node.  Caller frees the array.
 */
int xenfork__disks_clone(xenfork_ctx *ctx, struct xenfork__txn *txn,
                         const xenfork_spec *spec,
                         const struct xenfork__config *config,
                         const struct xenfork__node *image,
                         struct xenfork__node *clone,
                         struct xenfork__clone_disk **disks_out);
/* Remove the disks of a node. */
int xenfork__disks_remove(xenfork_ctx *ctx, const struct xenfork__node *node);

#endif

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Disks of a fork: one driver for each, a transaction for all of them.
 * prepare while the source runs, cut while it does not (its rings drained),
 * then clones, as many and as late as wanted.  Every file is journaled before
 * it is made, so abort is the journal's.
 */
#ifndef LIBFORK_DISK_H
#define LIBFORK_DISK_H

#include "internal.h"
#include "node.h"
#include "txn.h"

struct xenfork__disk_driver {
    const char *name;
    /* Can it fork this disk?  DISK with text and remedy, not logged */
    int (*probe)(xenfork_ctx *ctx, const struct xenfork__disk *disk);
    /* Where the file of a domain goes; caller frees.  NULL: no file */
    char *(*path)(const struct xenfork__disk *disk, const uint8_t uuid[16]);
    /* The source runs: whatever takes time. */
    int (*prepare)(xenfork_ctx *ctx, const char *from, const char *to);
    /* The source does not run: @to is sealed. */
    int (*cut)(xenfork_ctx *ctx, const char *from, const char *to);
    /* A delta of its own for a clone. */
    int (*clone)(xenfork_ctx *ctx, const char *from, const char *to);
};

extern const struct xenfork__disk_driver xenfork__disk_share;
extern const struct xenfork__disk_driver xenfork__disk_reflink;

/* The driver of a disk.  DISK with text and remedy, not logged: none */
int xenfork__disk_choose(xenfork_ctx *ctx, const struct xenfork__disk *disk,
                         const struct xenfork__disk_driver **driver_out);

/* Add to the image's node the sealed files; journal and prepare them. */
int xenfork__disks_prepare(xenfork_ctx *ctx, struct xenfork__txn *txn,
                           const struct xenfork__config *config,
                           struct xenfork__node *image);
int xenfork__disks_cut(xenfork_ctx *ctx, const struct xenfork__config *config,
                       const struct xenfork__node *image);
/*
 * Files for a clone, added to its node.  paths_out: one for each disk of the
 * configuration, NULL: as the source's; owned by the node.  Caller frees the
 * array.
 */
int xenfork__disks_clone(xenfork_ctx *ctx, struct xenfork__txn *txn,
                         const struct xenfork__config *config,
                         const struct xenfork__node *image,
                         struct xenfork__node *clone, char ***paths_out);
/* Remove the files of a node. */
int xenfork__disks_remove(xenfork_ctx *ctx, const struct xenfork__node *node);

#endif

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Sealed disks that outlive their image, because deltas lie on them:
 * STATE/sealed/UUID-VDEV, a record each, named after image and disk.  On what
 * a delta lies is in its own file, see parent() in disk.h; what no delta leads
 * to any more is removed.  A killed process leaves too much, never too little,
 * and the next sweep takes it away.
 */
#ifndef LIBFORK_SEALED_H
#define LIBFORK_SEALED_H

#include "internal.h"
#include "node.h"

struct xenfork__sealed {
    char *driver;
    char *path;
    char *from; /* the source's disk, which may lie on it */
    uint8_t source[16];
    char *name; /* of the source, which has another UUID when started anew */
};

struct xenfork__sealed_list {
    size_t count;
    struct xenfork__sealed *items;
    char **names; /* of the records */
};

/* An image goes: what was sealed for it stays as long as it is needed. */
int xenfork__sealed_keep(xenfork_ctx *ctx, const struct xenfork__node *image,
                         const struct xenfork__node_disk *disk);
/* Unreadable ones are left out with a warning. */
int xenfork__sealed_load(xenfork_ctx *ctx, struct xenfork__sealed_list *out);
void xenfork__sealed_free(struct xenfork__sealed_list *list);
/* Is @path one, and does nothing lie on it but @leaf? */
int xenfork__sealed_is_free(xenfork_ctx *ctx, const char *path,
                            const char *leaf, bool *is_out);
/* Remove those that nothing lies on. */
int xenfork__sealed_sweep(xenfork_ctx *ctx);

#define cleanup_sealed __attribute__((cleanup(xenfork__sealed_free)))

#endif

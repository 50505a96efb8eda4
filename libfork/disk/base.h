/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Bases that outlive their image, because overlays are backed by them: a record
 * STATE/bases/UUID-VDEV each, named after image and disk.  An overlay's own
 * file names its base, see parent() in disk.h.  A base that no overlay needs
 * any more is removed.  A killed process leaves too much, never too little; the
 * next sweep removes it.
 */
#ifndef LIBFORK_DISK_BASE_H
#define LIBFORK_DISK_BASE_H

#include "base/internal.h"
#include "state/record.h"

struct xenfork__base {
    char *driver;
    char *path;
    char *from; /* the source's disk, which it may back */
    uint8_t source[16];
    char *name; /* of the source, which has another UUID when started anew */
};

struct xenfork__base_list {
    size_t count;
    struct xenfork__base *items;
    char **names; /* of the records */
};

/* Keep a base of an image that is removed, as long as the base is needed. */
int xenfork__base_keep(xenfork_ctx *ctx, const struct xenfork__record *image,
                       const struct xenfork__record_disk *disk);
/*
 * List bases that have lost their image; unreadable records are left out with a
 * warning.
 */
int xenfork__base_load(xenfork_ctx *ctx, struct xenfork__base_list *out);
/* Remove what a writer has left that was killed. */
int xenfork__base_sweep_unfinished(xenfork_ctx *ctx);
void xenfork__base_free(struct xenfork__base_list *list);
/* Forget the record of that name. */
int xenfork__base_forget(xenfork_ctx *ctx, const char *name);

/*
 * Backing chains: disk/chain.c.  BUSY, not logged: a record is about to be
 * written, or unreadable
 */
/* Tell whether @path is a base that backs only @leaf. */
int xenfork__base_is_free(xenfork_ctx *ctx, const char *path, const char *leaf,
                          bool *is_out);
/*
 * Find two adjacent bases in @leaf's backing chain that belong to no image, of
 * which the lower one backs only the upper one.  Caller frees; NULL: there is
 * no such pair
 */
int xenfork__base_pair(xenfork_ctx *ctx, const char *leaf, char **upper_out,
                       char **lower_out);
/* The files that @path, a result of base_pair(), backs directly. */
struct xenfork__above {
    size_t count;
    struct {
        char *path;
        uint8_t clone[16]; /* whose it is; 0: no clone's */
    } * items;
};
int xenfork__base_above(xenfork_ctx *ctx, const char *path,
                        struct xenfork__above *out);
void xenfork__above_free(struct xenfork__above *above);
#define cleanup_above __attribute__((cleanup(xenfork__above_free)))
/* Remove bases that back nothing. */
int xenfork__base_sweep(xenfork_ctx *ctx);

#define cleanup_base __attribute__((cleanup(xenfork__base_free)))

#endif

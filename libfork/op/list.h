/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A list's entries, for the files that answer for it. */
#ifndef LIBFORK_LIST_H
#define LIBFORK_LIST_H

#include "base/ids.h"
#include "base/internal.h"
#include "state/record.h"
#include "xen/xen.h"

struct xenfork__list_entry {
    struct xenfork__node *node; /* one of the list's */
    char uuid[XENFORK__UUID_CHARS];
    uint32_t domid;
    uint32_t parent_domid; /* an image's source's; NONE: it is gone */
    const char *state;
    uint64_t shared_pages, private_pages;
    uint32_t users;
    struct xenfork__answers answers; /* of a clone that lives */
};

struct xenfork_list {
    struct xenfork__nodes frozen, images, clones, sealed, journals;
    uint32_t count;
    struct xenfork__list_entry *entries;
};

/* Sealed disks that outlive their image, each a node of one disk. */
int xenfork__list_sealed(xenfork_ctx *ctx, struct xenfork__nodes *out);
/* Of its disks. */
void xenfork__list_depths(xenfork_ctx *ctx, struct xenfork__node *node);
/* Its NICs as they are in its domain. */
int xenfork__list_nics(xenfork_ctx *ctx, uint32_t domid,
                       struct xenfork__node *clone);
/* NULL: there is no such entry. */
const struct xenfork__node *xenfork__list_node(const xenfork_list *list,
                                               uint32_t index);

#endif

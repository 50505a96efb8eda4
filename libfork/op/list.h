/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A list's entries, for the files that answer for it. */
#ifndef LIBFORK_OP_LIST_H
#define LIBFORK_OP_LIST_H

#include "base/ids.h"
#include "base/internal.h"
#include "op/view.h"
#include "state/record.h"
#include "xen/xen.h"

/* The memory that Xen has for a domain: measured, 4.17, 48 clones of cost.t. */
#define XENFORK__DOMAIN_KIB 120U

struct xenfork_entry {
    struct xenfork__record *record; /* one of the list's */
    char uuid[XENFORK__UUID_CHARS];
    uint32_t domid;
    uint32_t parent_domid; /* an image's source's; NONE: it is gone */
    const char *state;
    uint64_t shared_pages, private_pages;
    uint64_t pool_bytes; /* for page tables */
    uint32_t users;
    struct xenfork__answers answers; /* of a clone that lives */
    struct xenfork_disk *disks;      /* as many as the record has */
    struct xenfork_nic *nics;        /* likewise */
};

struct xenfork_list {
    struct xenfork__records frozen, images, clones, bases, journals;
    uint32_t count;
    struct xenfork_entry *entries;
};

/* Load the bases that outlive their image, each a record of one disk. */
int xenfork__list_bases(xenfork_ctx *ctx, struct xenfork__records *out);
/* Fill in an entry's disks; the list is complete but for disks. */
int xenfork__list_fill_disks(xenfork_ctx *ctx, const xenfork_list *list,
                             struct xenfork_entry *entry);
/* Give a clone's record the NICs that its domain has. */
int xenfork__list_nics(xenfork_ctx *ctx, uint32_t domid,
                       struct xenfork__record *clone);
/* Fill in an entry's NICs from its record. */
int xenfork__list_fill_nics(xenfork_ctx *ctx, struct xenfork_entry *entry);

#endif

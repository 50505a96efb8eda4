/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One clone, while all are made: clone.c; all of them: clones.c. */
#ifndef LIBFORK_OP_CLONE_H
#define LIBFORK_OP_CLONE_H

#include "op/job.h"

struct xenfork__making {
    struct xenfork__job *job;
    uint32_t clone;
    struct xenfork__record *record;
    struct xenfork__plan *plan;       /* NULL: libxl makes it */
    struct xenfork__restore *restore; /* as long as libxl does */
    bool is_loading;                  /* its QEMU, of the fast way */
    bool is_covered;                  /* see xenfork__cover() */
};

/*
 * Make a clone's domain, with memory; or have libxl begin: then there is a
 * restore, and the clone is served until there is none.  An HVM clone's QEMU
 * loads, and the clone is served until it does not.
 */
int xenfork__clone_begin(struct xenfork__job *job, uint32_t i);
/* Do what is to be done for one that is served, after a turn of libxl's. */
int xenfork__clone_serve(struct xenfork__job *job, uint32_t i);
/* Wait until libxl has given it up, which it was asked to. */
int xenfork__clone_break_off(struct xenfork__job *job, uint32_t i);
/* Attach and record a clone whose domain is made. */
int xenfork__clone_complete(struct xenfork__job *job, uint32_t i);

#endif

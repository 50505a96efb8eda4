/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The fast way to a clone: without libxl's restore, and without a process.
 * Where it would make a difference, or nothing is known of something, libxl's
 * restore makes the clone, and the result says why.
 */
#ifndef LIBFORK_OP_FAST_H
#define LIBFORK_OP_FAST_H

#include "op/job.h"
#include "xen/xen.h"

/* Plan a clone; nothing is made yet.  plan_out NULL: by libxl's restore */
int xenfork__fast_plan(struct xenfork__job *job, uint32_t i,
                       const struct xenfork__record *record,
                       const struct xenfork__clone_config *config,
                       struct xenfork__plan **plan_out);
/* Make the domain, with its disks, but for memory and NICs. */
int xenfork__fast_create(struct xenfork__job *job, struct xenfork__plan *plan,
                         struct xenfork__record *record);
/* Finish a domain that has its memory, but for NICs. */
int xenfork__fast_finish(struct xenfork__job *job, struct xenfork__plan *plan,
                         const struct xenfork__record *record);
/*
 * Start the QEMU of a domain that has its memory, and see to it until it runs.
 */
int xenfork__fast_emulator(struct xenfork__job *job,
                           struct xenfork__plan *plan);
/* Make its NICs ready. */
int xenfork__fast_nics(struct xenfork__job *job, uint32_t i,
                       struct xenfork__plan *plan, uint32_t domid);

#endif

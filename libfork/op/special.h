/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The pages that a clone has before its memory is forked, since its stream
 * carries them: those for Xen and the toolstack, and those that QEMU maps as
 * soon as it starts.
 */
#ifndef LIBFORK_OP_SPECIAL_H
#define LIBFORK_OP_SPECIAL_H

#include "op/job.h"

/*
 * Tell where libxl has put an HVM domain's RAM: up to @low_end_out, and from
 * 4 GiB up to @high_end_out.  hole_kib: left out below 4 GiB; 0: as usual
 */
void xenfork__ram_layout(uint64_t pages, uint64_t hole_kib,
                         uint64_t *low_end_out, uint64_t *high_end_out);
/*
 * List the known pages from @first to 4 GiB, and from @high on; caller frees.
 */
int xenfork__pages_special(xenfork_ctx *ctx, const struct xenfork__pages *pages,
                           uint64_t first, uint64_t high, uint64_t **gfns_out,
                           uint32_t *count_out);
/* List those of a source that is suspended; caller frees. */
int xenfork__special(struct xenfork__job *job, uint64_t **gfns_out,
                     uint32_t *count_out);

#endif

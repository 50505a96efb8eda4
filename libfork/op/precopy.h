/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Memory that is shared while its source runs, and shared again as far as it
 * has been written since: as a live migration copies.
 */
#ifndef LIBFORK_OP_PRECOPY_H
#define LIBFORK_OP_PRECOPY_H

#include "op/job.h"

/*
 * Share the memory of a source that runs, until little is left.  From here on
 * Xen logs what the source writes.  BUSY with remedy: it writes too much, or is
 * being migrated
 */
int xenfork__precopy(struct xenfork__job *job);
/* Add what the source has written since that was last asked to what is due. */
int xenfork__precopy_written(struct xenfork__job *job);
/*
 * Complete the image of a source that does not run any more.  BUSY with remedy:
 * that would take too long
 */
int xenfork__precopy_complete(struct xenfork__job *job);
/* End Xen's log; durable with the journal's next entry. */
int xenfork__precopy_end(struct xenfork__job *job);

#endif

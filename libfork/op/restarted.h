/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Take over the domain of a clone that is started again. */
#ifndef LIBFORK_OP_RESTARTED_H
#define LIBFORK_OP_RESTARTED_H

#include "base/internal.h"

/*
 * Note that a clone that is started runs: it is here, wherever it was.  If that
 * fails, it is asked about once more after its end.
 */
void xenfork__restarted_here(xenfork_ctx *ctx, const uint8_t clone[16]);
/*
 * Forget what xenforkd has pending for a clone that runs again, under its lock;
 * if that fails it finds the domain, and drops it.
 */
void xenfork__restarted_done(xenfork_ctx *ctx, const uint8_t clone[16]);
/*
 * Take over a clone's new domain, which is paused and has all of its memory:
 * tell it what the clone was told, and note it in the record.  It is ready when
 * it has adapted once more; its links stay as they are.  @json: its
 * configuration, to be kept; NULL: it is kept already.  @journal: its journal,
 * which may undo it: then a note that the clone has left stays for now; NULL:
 * it has none.  With the UUID of no clone nothing is done
 */
int xenfork__restarted_begin(xenfork_ctx *ctx, const uint8_t clone[16],
                             uint32_t domid, const char *json,
                             const char *journal);

#endif

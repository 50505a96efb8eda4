/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Keep the configuration from which a clone is started again: that of its
 * domain, in STATE/clones/UUID, as it was made and as we have changed it since.
 */
#ifndef LIBFORK_AGAIN_H
#define LIBFORK_AGAIN_H

#include "base/internal.h"
#include "state/record.h"
#include "xen/xen.h"

int xenfork__again_keep(xenfork_ctx *ctx, const uint8_t clone[16],
                        const char *json);
/* Return the configuration; caller frees.  STATE: there is none */
int xenfork__again_config(xenfork_ctx *ctx, const struct xenfork__record *clone,
                          char **json_out);
/*
 * Change the configuration of a clone, under the lock of the registry; a clone
 * without one is left alone.
 */
int xenfork__again_change(xenfork_ctx *ctx, const struct xenfork__record *clone,
                          const struct xenfork__config_change *change);
/*
 * Note that a clone that is started runs: it is here, wherever it was.  If that
 * fails, it is asked about once more after its end.
 */
void xenfork__again_here(xenfork_ctx *ctx, const uint8_t clone[16]);
/*
 * Drop what xenforkd has pending for a clone that runs again, under its lock;
 * if that fails it finds the domain, and drops it.
 */
void xenfork__again_done(xenfork_ctx *ctx, const uint8_t clone[16]);
/*
 * Take over a clone's new domain, which is paused and has all of its memory:
 * tell it what the clone was told, and note it in the record.  It is ready when
 * it has adapted once more; its links stay as they are.  @json: its
 * configuration, to be kept; NULL: it is kept already.  @journal: its journal,
 * which may undo it: then a note that the clone has left stays for now; NULL:
 * it has none.  With the UUID of no clone nothing is done
 */
int xenfork__again_begin(xenfork_ctx *ctx, const uint8_t clone[16],
                         uint32_t domid, const char *json, const char *journal);

#endif

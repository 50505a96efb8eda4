/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Restarts that xenforkd has begun: STATE/restarts/UUID, of a domain. */
#ifndef LIBFORK_STATE_RESTART_H
#define LIBFORK_STATE_RESTART_H

#include "base/internal.h"

#define XENFORK__RESTART_DIR "restarts"

/* Return a path in the folder of a restart; caller frees.  NULL: no memory */
char *xenfork__restart_path(const xenfork_ctx *ctx, const uint8_t domain[16],
                            const char *file);
/*
 * Tell whether xenforkd is to start this domain again; one of an earlier boot
 * is not started any more.
 */
bool xenfork__restart_is_pending(xenfork_ctx *ctx, const uint8_t domain[16]);
/*
 * Forget a restart, under the domain's lock, its record first: without that
 * there is nothing to do.  Absent already: success
 */
int xenfork__restart_forget(xenfork_ctx *ctx, const uint8_t domain[16]);

#endif

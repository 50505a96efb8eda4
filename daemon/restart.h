/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A domain ends and begins anew from its own configuration.  What is about
 * to be done is in STATE/restarts/UUID before it is done, so that whoever
 * comes after a kill can finish it.
 */
#ifndef DAEMON_RESTART_H
#define DAEMON_RESTART_H

#include "xen/events.h"
#include "xen/xen.h"

#define RESTART_DIR "restarts"

#define RESTART_DESTROY  0 /* what has shut down goes */
#define RESTART_PRESERVE 1 /* it stays, under another name and UUID */

/* Under the domain's lock: journal it, and do it. */
int restart_begin(xenfork_ctx *ctx, const struct xenfork__dominfo *info,
                  const struct host_config *config, int mode);
/* The worker: finish what was begun; takes the lock. */
int restart_resume(xenfork_ctx *ctx, const char *uuid);

#endif

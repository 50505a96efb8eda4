/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Restart a domain from its own configuration.  Each step is noted in
 * STATE/restarts/UUID before it is done, so that the next process can finish it
 * after a kill.
 */
#ifndef DAEMON_RESTART_H
#define DAEMON_RESTART_H

#include "xen/events.h"
#include "xen/xen.h"

#define RESTART_DESTROY  0 /* what has shut down goes */
#define RESTART_PRESERVE 1 /* it stays, under another name and UUID */

/*
 * Journal a restart, and do it, under the domain's lock.  is_clone: the domain
 * is a clone
 */
int restart_begin(xenfork_ctx *ctx, const struct xenfork__dominfo *info,
                  const struct xenfork__host_config *config, int mode,
                  bool is_clone);
/*
 * Do the worker's job: finish a restart that was begun; takes the lock.  A
 * clone whose record is gone is not started: it was destroyed, or forgotten
 */
int restart_resume(xenfork_ctx *ctx, const char *uuid);

#endif

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Tell whether the host is going down: guests then shut down because they have
 * to.
 */
#ifndef DAEMON_HALT_H
#define DAEMON_HALT_H

#include "base/internal.h"

/*
 * Tell whether Xen's xendomains is ending domains.  root: "", or a directory
 * with a proc.  In doubt: yes.
 */
bool halt_has_xendomains(const char *root);
/*
 * Tell whether xendomains is ending domains, or systemd is stopping.  Waits for
 * systemd's answer.
 */
bool halt_is_near(xenfork_ctx *ctx, const char *root);

#endif

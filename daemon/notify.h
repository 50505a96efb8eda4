/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tell systemd the state of the service, sd_notify(3), without its library. */
#ifndef DAEMON_NOTIFY_H
#define DAEMON_NOTIFY_H

#include <stdbool.h>

/*
 * Send "READY=1" and the like.  False: nobody listens, or the message cannot be
 * sent.
 */
bool notify(const char *message);

#endif

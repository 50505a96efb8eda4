/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The process that `xl create` leaves behind for a domain. */
#ifndef DAEMON_WATCHER_H
#define DAEMON_WATCHER_H

#include <stdbool.h>

/*
 * Does xl watch the domain with this name?  Also when that cannot be told:
 * xl create -F watches too, and does not say what.  proc: "/proc".
 */
bool watcher_lives(const char *proc, const char *name);

#endif

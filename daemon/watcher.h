/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The process that `xl create` leaves behind for a domain. */
#ifndef DAEMON_WATCHER_H
#define DAEMON_WATCHER_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Does xl watch the domain?  Only processes of root's count.  Also true when
 * that cannot be told: of an xl create -F that names no domain which we can
 * read.  proc: "/proc".
 */
bool watcher_lives(const char *proc, const char *name, uint32_t domid);

#endif

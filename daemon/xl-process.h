/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The process that `xl create` leaves behind for a domain. */
#ifndef DAEMON_XL_PROCESS_H
#define DAEMON_XL_PROCESS_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Tell whether xl watches the domain.  Only root's processes count.  In doubt:
 * true, for example for an xl create -F whose domain cannot be read.  proc:
 * "/proc".
 */
bool watcher_lives(const char *proc, const char *name, uint32_t domid);

#endif

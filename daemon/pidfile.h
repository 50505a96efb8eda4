/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Make sure that only one daemon runs: by a locked file, whose lock ends with
 * its holder.
 */
#ifndef DAEMON_PIDFILE_H
#define DAEMON_PIDFILE_H

#include <stdbool.h>
#include <sys/types.h>

/*
 * Take the lock.  Returns a descriptor to keep open, or -1 with errno;
 * EAGAIN: another daemon runs.
 */
int instance_take(const char *path);
/* Write our pid into it, for people to read. */
bool instance_sign(int fd);
/* Tell whether a daemon runs, without taking the lock; in doubt: false. */
bool instance_is_running(const char *path);

#endif

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef XL_PLUGIN_DAEMON_HINT_H
#define XL_PLUGIN_DAEMON_HINT_H

#include <stdbool.h>

extern const char *daemon_pid_file; /* NULL: do not ask */

/* Tell whether xenforkd runs. */
bool daemon_runs(void);
/* Print on stderr, if xenforkd does not run, what is missing without it. */
void hint_daemon(bool is_ephemeral);

#endif

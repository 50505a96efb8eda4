/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A fork works without the daemon; what comes after it does not, wholly. */
#include "config.h"

#include "daemon-hint.h"

#include <stddef.h>
#include <stdio.h>

#include "daemon/pidfile.h"

const char *daemon_pid_file = XENFORK_PID_FILE;

bool daemon_runs(void)
{
    return !daemon_pid_file || instance_is_running(daemon_pid_file);
}

void hint_daemon(bool is_ephemeral)
{
    if (daemon_runs())
        return;
    fputs(
        "xl: xenforkd is not running: nobody applies on_poweroff, on_reboot "
        "and on_crash\n"
        "to clones, or freezes a guest that asks for it by data/fork/freeze,\n"
        "or pauses clones while memory is low: one that finds none crashes, or,\n"
        "if xenforkd has run since it was made, waits until it runs again\n",
        stderr);
    if (is_ephemeral)
        fputs("xl: and nobody removes ephemeral clones at their end\n", stderr);
}

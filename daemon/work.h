/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a worker process does: one job, then it ends. */
#ifndef DAEMON_WORK_H
#define DAEMON_WORK_H

#include "base/internal.h"

#include <sys/wait.h>

/* Of what is not to wait: another operation is on its domain; later. */
#define WORK_BUSY 3
/* Is it by a status as of waitpid(2)?  Then it is no failure. */
static inline bool work_was_busy(int status)
{
    return WIFEXITED(status) && WEXITSTATUS(status) == WORK_BUSY;
}

/*
 * kind: WORKER_*; value: a freeze's timeout in seconds, hydration's MiB a
 * second.  Returns an exit status: 0 done, 1 failed, 2 usage.
 */
int work(xenfork_ctx *ctx, int kind, const char *target, uint32_t value);

#endif

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Do the job of a worker process: one job, then it ends. */
#ifndef DAEMON_WORKER_MAIN_H
#define DAEMON_WORKER_MAIN_H

#include "base/internal.h"

#include <sys/wait.h>

/* Exit status: another operation is on the domain; try again later. */
#define WORK_BUSY 3
/*
 * Tell by a status as of waitpid(2) whether the worker was busy, which is no
 * failure.
 */
static inline bool work_was_busy(int status)
{
    return WIFEXITED(status) && WEXITSTATUS(status) == WORK_BUSY;
}

/*
 * Do a job.  kind: WORKER_*; value: a freeze's timeout in seconds, hydration's
 * MiB a second.  Returns an exit status: 0 done, 1 failed, 2 usage.
 */
int work(xenfork_ctx *ctx, int kind, const char *target, uint32_t value);

#endif

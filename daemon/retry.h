/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Restarts that failed: each has its own time, and none delays the others. */
#ifndef DAEMON_RETRY_H
#define DAEMON_RETRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "worker-pool.h"

struct retry {
    char target[WORKER_TARGET_BYTES];
    uint64_t at_ms; /* not before */
    bool is_seen;   /* there is such a one still */
};

struct retries {
    struct retry *all;
    size_t count;
};

void retries_free(struct retries *retries);
/* Return the retry of a target that has failed before; NULL: it has not. */
struct retry *retries_find(const struct retries *retries, const char *target);
/* Note a failure.  If there is no memory for it, the target is not delayed. */
void retries_failed(struct retries *retries, const char *target,
                    uint64_t at_ms);
void retries_ended(struct retries *retries, const char *target);
/* Begin and end a look at all targets: forget those that were not seen. */
void retries_begin_look(struct retries *retries);
void retries_end_look(struct retries *retries);

#endif

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "retry.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void retries_free(struct retries *retries)
{
    free(retries->all);
    *retries = (struct retries){0};
}

struct retry *retries_find(const struct retries *retries, const char *target)
{
    size_t i;

    for (i = 0; i < retries->count; i++)
        if (!strcmp(retries->all[i].target, target))
            return &retries->all[i];
    return NULL;
}

void retries_failed(struct retries *retries, const char *target, uint64_t at_ms)
{
    struct retry *retry = retries_find(retries, target);

    if (!retry) {
        retry = reallocarray(retries->all, retries->count + 1, sizeof(*retry));
        if (!retry)
            return;
        retries->all = retry;
        retry += retries->count++;
        *retry = (struct retry){.is_seen = true};
        snprintf(retry->target, sizeof(retry->target), "%s", target);
    }
    retry->at_ms = at_ms;
}

void retries_ended(struct retries *retries, const char *target)
{
    struct retry *retry = retries_find(retries, target);

    if (retry)
        *retry = retries->all[--retries->count];
}

void retries_begin_look(struct retries *retries)
{
    size_t i;

    for (i = 0; i < retries->count; i++)
        retries->all[i].is_seen = false;
}

void retries_end_look(struct retries *retries)
{
    size_t i;

    for (i = retries->count; i-- > 0;)
        if (!retries->all[i].is_seen)
            retries->all[i] = retries->all[--retries->count];
}

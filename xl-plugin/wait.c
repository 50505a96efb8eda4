/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "wait.h"

#include <stdio.h>
#include <time.h>

#include "args.h"
#include "exitcodes.h"
#include "session.h"

#define DEFAULT_S 60
#define MAX_S     3600
#define LOOK_MS   100

bool parse_wait(const char *text, uint64_t *seconds_out)
{
    if (text)
        return parse_number(text, 1, MAX_S, seconds_out);
    *seconds_out = DEFAULT_S;
    return true;
}

static uint64_t now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* Return what is left; where nothing is, enough to look once. */
static uint32_t left_ms(uint64_t seconds, uint64_t *end_ms)
{
    uint64_t now = now_ms();

    if (!*end_ms)
        *end_ms = now + seconds * 1000;
    return *end_ms > now + LOOK_MS ? (uint32_t)(*end_ms - now) : LOOK_MS;
}

static int name_unready(const xenfork_result *result)
{
    uint32_t i;

    for (i = 0; i < xenfork_result_clone_count(result); i++) {
        const xenfork_clone *clone = xenfork_result_clone(result, i);
        const char *name = xenfork_clone_name(clone);
        const char *error = xenfork_clone_error(clone);

        if (error)
            fprintf(stderr, "xl: %s could not adapt: %s\n", name, error);
        else if (!xenfork_clone_is_ready(clone))
            fprintf(stderr, "xl: %s has not acknowledged\n", name);
    }
    return EXIT_FAILED;
}

int wait_for_clones(xenfork_ctx *ctx, xenfork_result *result, uint64_t seconds,
                    uint64_t *end_ms)
{
    int rc;

    if (session_is_cancelled()) {
        fprintf(stderr, "xl: interrupted; not waited for: %s%s\n",
                xenfork_clone_name(xenfork_result_clone(result, 0)),
                xenfork_result_clone_count(result) > 1 ? " and the others"
                                                       : "");
        return EXIT_FAILED;
    }
    rc = xenfork_wait_ready(ctx, result, left_ms(seconds, end_ms));
    if (rc == 0)
        return EXIT_DONE;
    session_failed(ctx, rc);
    return name_unready(result);
}

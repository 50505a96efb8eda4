/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "wait.h"

#include <stdio.h>

#include "args.h"
#include "exitcodes.h"
#include "session.h"

#define DEFAULT_S 60
#define MAX_S     3600

bool parse_wait(const char *text, uint64_t *seconds_out)
{
    if (text)
        return parse_number(text, 1, MAX_S, seconds_out);
    *seconds_out = DEFAULT_S;
    return true;
}

int wait_for_clones(xenfork_ctx *ctx, xenfork_result *result, uint64_t seconds)
{
    uint32_t i;
    int rc = xenfork_wait_ready(ctx, result, (uint32_t)seconds * 1000);

    if (rc == 0)
        return EXIT_DONE;
    session_failed(ctx, rc);
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

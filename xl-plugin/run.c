/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "run.h"

#include <stddef.h>

#include "exitcodes.h"
#include "session.h"

/* Do it for each name; an error with one name does not stop the others. */
int run_named(int argc, char **argv, const struct cmd *cmd, int max,
              int (*operate)(xenfork_ctx *ctx, const char *name))
{
    struct simple_options options;
    xenfork_ctx *ctx = NULL;
    int status, worst;
    int i, rc;

    if (!parse_simple(argc, argv, cmd, 0, 1, max, &options))
        return options.status;
    worst = session_open(&ctx);
    if (worst != EXIT_DONE)
        return worst;
    session_begin_names(ctx, options.count);
    for (i = 0; i < options.count && !session_is_cancelled(); i++) {
        rc = operate(ctx, options.names[i]);
        status = rc < 0 ? session_failed(ctx, rc) : EXIT_DONE;
        if (status > worst)
            worst = status;
    }
    if (i < options.count) {
        status = session_interrupted(options.names + i);
        if (status > worst)
            worst = status;
    }
    worst = session_end_names(ctx, options.count, worst);
    session_close(ctx);
    return worst;
}

int run_list(int argc, char **argv, const struct cmd *cmd, int names,
             uint32_t flags,
             int (*print)(xenfork_ctx *ctx, const xenfork_list *list,
                          const struct simple_options *options))
{
    struct simple_options options;
    xenfork_list *list = NULL;
    xenfork_ctx *ctx = NULL;
    int status;
    int rc;

    if (!parse_simple(argc, argv, cmd, WITH_JSON, names, names, &options))
        return options.status;
    status = session_open(&ctx);
    if (status != EXIT_DONE)
        return status;
    rc = xenfork_list_open(ctx, flags, &list);
    status = rc < 0 ? session_failed(ctx, rc) : print(ctx, list, &options);
    xenfork_list_free(list);
    session_close(ctx);
    return status;
}

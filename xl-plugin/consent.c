/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "consent.h"

#include <getopt.h>
#include <stdio.h>
#include <unistd.h>

#include "exitcodes.h"
#include "session.h"

static const struct option long_options[] = {
    {"yes", no_argument, NULL, 'y'},
    {"verbose", no_argument, NULL, 'v'},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

/* Ask a user at a terminal; false where nobody can answer. */
static bool ask_user(const xenfork_ctx *ctx, const char *question)
{
    char line[16];

    if (!isatty(STDIN_FILENO) || !is_terminal)
        return false;
    fprintf(stderr, "xl: %s\n%s [y/N] ", xenfork_error_text(ctx), question);
    return fgets(line, sizeof(line), stdin) &&
           (line[0] == 'y' || line[0] == 'Y');
}

/* Do it for each name; an error with one name does not stop the others. */
static int run_all(xenfork_ctx *ctx, char **names, bool has_consent,
                   const char *question,
                   int (*operate)(xenfork_ctx *ctx, const char *name,
                                  bool has_consent))
{
    int status, worst = EXIT_DONE, rc;

    for (; *names && !session_is_cancelled(); names++) {
        rc = operate(ctx, *names, has_consent);
        while (rc == XENFORK_E_INUSE && !has_consent &&
               ask_user(ctx, question) && xenfork_agree(ctx) == 0)
            rc = operate(ctx, *names, false);
        status = rc < 0 ? session_failed(ctx, rc) : EXIT_DONE;
        if (status > worst)
            worst = status;
    }
    if (*names) {
        status = session_interrupted(names);
        if (status > worst)
            worst = status;
    }
    return worst;
}

int run_asking(int argc, char **argv, const struct cmd *cmd,
               const char *question,
               int (*operate)(xenfork_ctx *ctx, const char *name,
                              bool has_consent))
{
    xenfork_ctx *ctx = NULL;
    bool has_consent = false;
    int opt, status;

    while ((opt = getopt_long(argc, argv, "vh", long_options, NULL)) != -1) {
        if (opt == 'h')
            return cmd_help(cmd);
        if (opt == 'v')
            verbosity++;
        else if (opt == 'y')
            has_consent = true;
        else
            return cmd_usage(cmd);
    }
    if (optind == argc)
        return cmd_usage(cmd);
    status = session_open(&ctx);
    if (status != EXIT_DONE)
        return status;
    session_begin_names(ctx, argc - optind);
    status = run_all(ctx, argv + optind, has_consent, question, operate);
    status = session_end_names(ctx, argc - optind, status);
    session_close(ctx);
    return status;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* xl fork-check */
#include "config.h"

#include <stddef.h>

#include "check-output.h"
#include "cmd.h"
#include "exitcodes.h"
#include "options.h"
#include "session.h"

static int main_fork_check(int argc, char **argv)
{
    struct simple_options options;
    xenfork_ctx *ctx = NULL;
    uint32_t domid;
    int status;
    int rc;

    if (!parse_simple(argc, argv, &cmd_fork_check, WITH_JSON, 1, 1, &options))
        return options.status;
    status = session_open(&ctx);
    if (status != EXIT_DONE)
        return status;
    rc = xenfork_find(ctx, options.names[0], &domid);
    if (rc < 0)
        status = session_failed(ctx, rc);
    else
        status = check_and_print(ctx, options.names[0], domid, NULL,
                                 options.is_json);
    session_close(ctx);
    return status;
}

const struct cmd cmd_fork_check = {
    .name = "fork-check",
    .run = main_fork_check,
    .usage = "[--json] DOMAIN",
    .help = "Check whether a domain can be forked, and if not, why\n"
            "\n"
            "Every reason is printed, with a way out.  For each disk that can\n"
            "be forked, the driver is printed, and why it was chosen.  The\n"
            "domain is not touched.\n"
            "\n"
            "      --json     print the result as JSON\n"
            "  -v, --verbose  show each stage; twice: every call to Xen\n"
            "  -h, --help     this text\n"
            "\n"
            "Exit status: 0 it can be forked; 1 it cannot; 2 usage.\n",
};

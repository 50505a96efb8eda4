/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* xl fork-destroy */
#include "config.h"

#include <stddef.h>

#include "cmd.h"
#include "exitcodes.h"
#include "options.h"
#include "session.h"

/* What cannot be destroyed does not keep the others from it. */
static int main_fork_destroy(int argc, char **argv)
{
    struct simple_options options;
    xenfork_ctx *ctx = NULL;
    int status;
    int i;

    if (!parse_simple(argc, argv, &cmd_fork_destroy, 0, 1, ANY_NUMBER,
                      &options))
        return options.status;
    status = session_open(&ctx);
    if (status != EXIT_DONE)
        return status;
    for (i = 0; i < options.count; i++) {
        int rc = xenfork_clone_destroy(ctx, options.names[i]);
        int failed = rc < 0 ? session_failed(ctx, rc) : EXIT_DONE;

        if (failed > status)
            status = failed;
        if (rc == XENFORK_E_CANCELLED)
            break;
    }
    session_close(ctx);
    return status;
}

const struct cmd cmd_fork_destroy = {
    .name = "fork-destroy",
    .run = main_fork_destroy,
    .usage = "CLONE...",
    .help = "Destroy clones with their disks\n"
            "\n"
            "What a clone wrote to its disks is lost.  Use xl destroy to end\n"
            "a clone and keep its disks.\n"
            "\n"
            "  -v, --verbose  say what is done; twice: every call to Xen\n"
            "  -h, --help     this text\n"
            "\n"
            "Exit status: 0 done; 1 failed; 2 usage; 3 failed and something\n"
            "is left.\n",
};

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* xl fork-hydrate */
#include "config.h"

#include <limits.h>
#include <stddef.h>

#include "cmd.h"
#include "progress.h"
#include "run.h"

static int hydrate(xenfork_ctx *ctx, const char *name)
{
    int rc;

    if (is_terminal)
        xenfork_set_progress(ctx, progress_draw, NULL);
    rc = xenfork_hydrate(ctx, name, 0);
    progress_end();
    return rc;
}

static int main_fork_hydrate(int argc, char **argv)
{
    return run_named(argc, argv, &cmd_fork_hydrate, INT_MAX, hydrate);
}

const struct cmd cmd_fork_hydrate = {
    .name = "fork-hydrate",
    .run = main_fork_hydrate,
    .usage = "CLONE...",
    .help = "Make clones independent of their image, now\n"
            "\n"
            "Each takes the rest of its memory from its image, still shared,\n"
            "while it runs, whatever --hydrate was when it was made.  This\n"
            "may be stopped; run the command again to continue.\n"
            "\n"
            "  -v, --verbose  show each stage; twice: every call to Xen\n"
            "  -h, --help     this text\n"
            "\n"
            "Exit status: 0 done; 1 failed or stopped; 2 usage.\n",
};

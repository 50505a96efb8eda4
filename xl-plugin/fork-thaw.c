/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* xl fork-thaw */
#include "config.h"

#include <stdint.h>

#include "cmd.h"
#include "run.h"

static int run_thaw(xenfork_ctx *ctx, const char *name)
{
    uint32_t domid;
    int rc = xenfork_find(ctx, name, &domid);

    return rc < 0 ? rc : xenfork_thaw(ctx, domid);
}

static int main_fork_thaw(int argc, char **argv)
{
    return run_named(argc, argv, &cmd_fork_thaw, 1, run_thaw);
}

const struct cmd cmd_fork_thaw = {
    .name = "fork-thaw",
    .run = main_fork_thaw,
    .usage = "DOMAIN",
    .help =
        "Let a frozen domain run on\n"
        "\n"
        "Its clones go on.  Its image is removed as soon as no clone needs\n"
        "it.\n"
        "\n"
        "  -v, --verbose  show each stage; twice: every call to Xen\n"
        "  -h, --help     this text\n"
        "\n"
        "Exit status: 0 done; 1 failed; 2 usage; 3 failed and something\n"
        "is left.\n",
};

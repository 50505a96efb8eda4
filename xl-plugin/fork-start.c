/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* xl fork-start */
#include "config.h"

#include "cmd.h"
#include "run.h"

static int start(xenfork_ctx *ctx, const char *name)
{
    uint32_t domid;

    return xenfork_clone_start(ctx, name, &domid);
}

static int main_fork_start(int argc, char **argv)
{
    return run_named(argc, argv, &cmd_fork_start, ANY_NUMBER, start);
}

const struct cmd cmd_fork_start = {
    .name = "fork-start",
    .run = main_fork_start,
    .usage = "CLONE...",
    .help = "Start clones that have ended again\n"
            "\n"
            "Name, UUID, MAC addresses, disks, parameters and links (held or\n"
            "connected) are as before.  All of their memory is their own.\n"
            "\n"
            "  -v, --verbose  say what is done; twice: every call to Xen\n"
            "  -h, --help     this text\n"
            "\n"
            "Exit status: 0 done; 1 failed; 2 usage; 3 failed and something\n"
            "is left.\n",
};

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* xl fork-start */
#include "config.h"

#include "cmd.h"
#include "consent.h"

static int run_start(xenfork_ctx *ctx, const char *name, bool has_consent)
{
    uint32_t domid;

    return xenfork_clone_start(ctx, name, has_consent ? XENFORK_START_LEFT : 0,
                               &domid);
}

static int main_fork_start(int argc, char **argv)
{
    return run_asking(argc, argv, &cmd_fork_start,
                      "Start it here all the same?", run_start);
}

const struct cmd cmd_fork_start = {
    .name = "fork-start",
    .run = main_fork_start,
    .usage = "[--yes] CLONE...",
    .help =
        "Start clones that have ended again\n"
        "\n"
        "Name, UUID, MAC addresses, disks, parameters and links (held or\n"
        "connected) are as before.  All of their memory is their own.\n"
        "A clone that was migrated or saved may run elsewhere: the command\n"
        "asks before it starts the clone here, too, and refuses where\n"
        "nobody can answer.  It also asks when a disk is open for writing,\n"
        "or when a read-only disk is another one than at the fork.\n"
        "\n"
        "      --yes      do not ask, start them\n"
        "  -v, --verbose  show each stage; twice: every call to Xen\n"
        "  -h, --help     this text\n"
        "\n"
        "Exit status: 0 done; 1 failed; 2 usage; 3 failed and something\n"
        "is left.\n",
};

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* xl fork-destroy */
#include "config.h"

#include "cmd.h"
#include "consent.h"

static int destroy(xenfork_ctx *ctx, const char *name, bool has_consent)
{
    return xenfork_clone_destroy(ctx, name,
                                 has_consent ? XENFORK_DESTROY_LEFT : 0);
}

static int main_fork_destroy(int argc, char **argv)
{
    return run_asking(argc, argv, &cmd_fork_destroy,
                      "Remove them all the same?", destroy);
}

const struct cmd cmd_fork_destroy = {
    .name = "fork-destroy",
    .run = main_fork_destroy,
    .usage = "[--yes] CLONE...",
    .help =
        "Destroy clones with their disks\n"
        "\n"
        "What a clone wrote to its disks is lost.  Use xl destroy to end\n"
        "a clone and keep its disks.  The disks of a clone that was\n"
        "migrated or saved may be in use elsewhere, and those of a stopped\n"
        "clone may be open here: the command asks before it removes them,\n"
        "and refuses where nobody can answer.\n"
        "\n"
        "      --yes      do not ask, remove the disks\n"
        "  -v, --verbose  show each stage; twice: every call to Xen\n"
        "  -h, --help     this text\n"
        "\n"
        "Exit status: 0 done; 1 failed; 2 usage; 3 failed and something\n"
        "is left.\n",
};

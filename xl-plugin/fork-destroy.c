/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* xl fork-destroy */
#include "config.h"

#include "cmd.h"
#include "run.h"

static int main_fork_destroy(int argc, char **argv)
{
    return run_named(argc, argv, &cmd_fork_destroy, ANY_NUMBER,
                     xenfork_clone_destroy);
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

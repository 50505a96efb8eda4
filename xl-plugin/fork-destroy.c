/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* xl fork-destroy */
#include "config.h"

#include <getopt.h>
#include <stdio.h>
#include <unistd.h>

#include "cmd.h"
#include "exitcodes.h"
#include "session.h"

static const struct option long_options[] = {
    {"yes", no_argument, NULL, 'y'},
    {"verbose", no_argument, NULL, 'v'},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

/* Of somebody who can answer. */
static bool ask(const xenfork_ctx *ctx)
{
    char line[16];

    if (!isatty(STDIN_FILENO) || !is_terminal)
        return false;
    fprintf(stderr, "xl: %s\nDelete them all the same? [y/N] ",
            xenfork_error_text(ctx));
    return fgets(line, sizeof(line), stdin) &&
           (line[0] == 'y' || line[0] == 'Y');
}

static int destroy(xenfork_ctx *ctx, const char *name, uint32_t flags)
{
    int rc = xenfork_clone_destroy_flags(ctx, name, flags);

    if (rc == XENFORK_E_INUSE && ask(ctx))
        rc = xenfork_clone_destroy_flags(ctx, name, XENFORK_DESTROY_LEFT);
    return rc;
}

/* What fails for one name does not keep the others from it. */
static int destroy_all(xenfork_ctx *ctx, char **names, uint32_t flags)
{
    int status, worst = EXIT_DONE, rc;

    for (; *names; names++) {
        rc = destroy(ctx, *names, flags);
        status = rc < 0 ? session_failed(ctx, rc) : EXIT_DONE;
        if (status > worst)
            worst = status;
        if (rc == XENFORK_E_CANCELLED)
            break;
    }
    return worst;
}

static int main_fork_destroy(int argc, char **argv)
{
    xenfork_ctx *ctx = NULL;
    uint32_t flags = 0;
    int opt, status;

    while ((opt = getopt_long(argc, argv, "vh", long_options, NULL)) != -1) {
        if (opt == 'h')
            return cmd_help(&cmd_fork_destroy);
        if (opt == 'v')
            verbosity++;
        else if (opt == 'y')
            flags |= XENFORK_DESTROY_LEFT;
        else
            return cmd_usage(&cmd_fork_destroy);
    }
    if (optind == argc)
        return cmd_usage(&cmd_fork_destroy);
    status = session_open(&ctx);
    if (status != EXIT_DONE)
        return status;
    status = destroy_all(ctx, argv + optind, flags);
    session_close(ctx);
    return status;
}

const struct cmd cmd_fork_destroy = {
    .name = "fork-destroy",
    .run = main_fork_destroy,
    .usage = "[--yes] CLONE...",
    .help = "Destroy clones with their disks\n"
            "\n"
            "What a clone wrote to its disks is lost.  Use xl destroy to end\n"
            "a clone and keep its disks.  Of a clone that was migrated or\n"
            "saved the disks may be in use elsewhere: asks before it deletes\n"
            "them, and refuses where nobody can answer.\n"
            "\n"
            "      --yes      do not ask, delete them\n"
            "  -v, --verbose  say what is done; twice: every call to Xen\n"
            "  -h, --help     this text\n"
            "\n"
            "Exit status: 0 done; 1 failed; 2 usage; 3 failed and something\n"
            "is left.\n",
};

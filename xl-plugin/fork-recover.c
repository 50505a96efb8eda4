/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* xl fork-recover */
#include "config.h"

#include <getopt.h>
#include <stddef.h>

#include "cmd.h"
#include "exitcodes.h"
#include "options.h"
#include "session.h"

static int run_recover(const char *id)
{
    xenfork_ctx *ctx = NULL;
    int status = session_open(&ctx);
    int rc;

    if (status != EXIT_DONE)
        return status;
    rc = id ? xenfork_journal_set_aside(ctx, id) : xenfork_recover(ctx);
    if (rc < 0)
        status = session_failed(ctx, rc);
    session_close(ctx);
    return status;
}

static int main_fork_recover(int argc, char **argv)
{
    static const struct option table[] = {
        {"set-aside", required_argument, NULL, 's'},
        {"verbose", no_argument, NULL, 'v'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    const char *id = NULL;
    int opt;

    while ((opt = getopt_long(argc, argv, "vh", table, NULL)) != -1) {
        switch (opt) {
        case 's':
            id = optarg;
            break;
        case 'v':
            verbosity++;
            break;
        case 'h':
            return cmd_help(&cmd_fork_recover);
        default:
            return cmd_usage(&cmd_fork_recover);
        }
    }
    return optind < argc ? cmd_usage(&cmd_fork_recover) : run_recover(id);
}

const struct cmd cmd_fork_recover = {
    .name = "fork-recover",
    .run = main_fork_recover,
    .usage = "[--set-aside ID]",
    .help =
        "Undo what killed processes have left\n"
        "\n"
        "Every fork begins with this, and xenforkd does it, too.  A journal\n"
        "that cannot be undone is in xl fork-list, and keeps only its own\n"
        "source from being forked.\n"
        "\n"
        "      --set-aside ID  try once more, then give this journal up: what\n"
        "                      may be left is named, and is yours to remove\n"
        "  -v, --verbose       show each stage; twice: every call to Xen\n"
        "  -h, --help          this text\n"
        "\n"
        "Exit status: 0 done; 1 failed; 2 usage; 3 something is left.\n",
};

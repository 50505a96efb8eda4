/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* xl fork-freeze */
#include "config.h"

#include <getopt.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "args.h"
#include "cmd.h"
#include "exitcodes.h"
#include "options.h"
#include "session.h"

#define TIMEOUT_DEFAULT 30
#define TIMEOUT_MAX     3600

struct freeze_options {
    int status; /* what to exit with, when there is nothing to do */
    uint64_t timeout_s;
    const char *name;
};

enum {
    OPT_TIMEOUT = 256
};

static const struct option table[] = {
    {"timeout", required_argument, NULL, OPT_TIMEOUT},
    {"verbose", no_argument, NULL, 'v'},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

static bool end_freeze_options(struct freeze_options *options, int status)
{
    options->status = status;
    return false;
}

/*
 * Parse the options.  False: help or usage has been printed; exit with the
 * status.
 */
static bool parse_freeze(int argc, char **argv, struct freeze_options *options)
{
    int opt;

    while ((opt = getopt_long(argc, argv, "vh", table, NULL)) != -1) {
        switch (opt) {
        case 'v':
            verbosity++;
            break;
        case 'h':
            return end_freeze_options(options, cmd_help(&cmd_fork_freeze));
        case OPT_TIMEOUT:
            if (parse_number(optarg, 1, TIMEOUT_MAX, &options->timeout_s))
                break;
            fprintf(stderr, "xl: --timeout %s: not a number from 1 to %d\n",
                    optarg, TIMEOUT_MAX);
            return end_freeze_options(options, EXIT_USAGE);
        default:
            return end_freeze_options(options, cmd_usage(&cmd_fork_freeze));
        }
    }
    if (argc - optind != 1)
        return end_freeze_options(options, cmd_usage(&cmd_fork_freeze));
    options->name = argv[optind];
    return true;
}

static int main_fork_freeze(int argc, char **argv)
{
    struct freeze_options options = {.timeout_s = TIMEOUT_DEFAULT};
    xenfork_ctx *ctx = NULL;
    uint32_t domid;
    int status;
    int rc;

    if (!parse_freeze(argc, argv, &options))
        return options.status;
    status = session_open(&ctx);
    if (status != EXIT_DONE)
        return status;
    rc = xenfork_find(ctx, options.name, &domid);
    if (rc == 0)
        rc = xenfork_freeze(ctx, domid, (uint32_t)options.timeout_s * 1000);
    if (rc < 0)
        status = session_failed(ctx, rc);
    session_close(ctx);
    return status;
}

const struct cmd cmd_fork_freeze = {
    .name = "fork-freeze",
    .run = main_fork_freeze,
    .usage = "[--timeout=S] DOMAIN",
    .help =
        "Freeze a domain: it waits, suspended, to be forked\n"
        "\n"
        "A frozen domain executes nothing until xl fork-thaw.  All of its\n"
        "forks are made from one image, and go on from the instant of the\n"
        "freeze.  A domain that is destroyed, rebooted or migrated away is\n"
        "no longer frozen; its clones go on.\n"
        "\n"
        "      --timeout=S  longest wait for the guest to suspend: 30 s\n"
        "  -v, --verbose    show each stage; twice: every call to Xen\n"
        "  -h, --help       this text\n"
        "\n"
        "Exit status: 0 done, or frozen already; 1 failed, the domain\n"
        "runs as before; 2 usage; 3 failed and something is left.\n",
};

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* xl fork-reset */
#include "config.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include <xenfork.h>

#include "cmd.h"
#include "exitcodes.h"
#include "progress.h"
#include "session.h"
#include "wait.h"

struct options {
    int status; /* what to exit with, when there is nothing to do */
    uint32_t flags;
    uint64_t wait_s; /* 0: do not */
    char **names;
    int count;
};

enum {
    OPT_PAUSED = 256,
    OPT_WAIT,
};

static const struct option long_options[] = {
    {"paused", no_argument, NULL, OPT_PAUSED},
    {"wait", optional_argument, NULL, OPT_WAIT},
    {"verbose", no_argument, NULL, 'v'},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

static bool end_reset_options(struct options *options, int status)
{
    options->status = status;
    return false;
}

/*
 * Parse the options.  False: help or usage has been printed; exit with the
 * status.
 */
static bool parse_reset(int argc, char **argv, struct options *options)
{
    int opt;

    while ((opt = getopt_long(argc, argv, "vh", long_options, NULL)) != -1) {
        if (opt == 'h')
            return end_reset_options(options, cmd_help(&cmd_fork_reset));
        if (opt == 'v')
            verbosity++;
        else if (opt == OPT_PAUSED)
            options->flags |= XENFORK_RESET_PAUSED;
        else if (opt != OPT_WAIT || !parse_wait(optarg, &options->wait_s))
            return end_reset_options(options, cmd_usage(&cmd_fork_reset));
    }
    if (options->wait_s && options->flags) {
        fprintf(stderr, "xl: --wait: paused clones do not acknowledge\n");
        return end_reset_options(options, cmd_usage(&cmd_fork_reset));
    }
    if (optind == argc)
        return end_reset_options(options, cmd_usage(&cmd_fork_reset));
    options->names = argv + optind;
    options->count = argc - optind;
    return true;
}

static int reset_one(xenfork_ctx *ctx, const char *name, uint32_t flags,
                     xenfork_result **result_out)
{
    int rc;

    if (is_terminal)
        xenfork_set_progress(ctx, progress_draw, NULL);
    rc = xenfork_clone_reset(ctx, name, flags, result_out);
    progress_end();
    return rc;
}

static int print_reset(const xenfork_result *result)
{
    const xenfork_clone *clone = xenfork_result_clone(result, 0);

    printf("%s is where it was forked, as domain %u\n",
           xenfork_clone_name(clone), xenfork_clone_domid(clone));
    return fflush(stdout) == 0 ? EXIT_DONE : EXIT_RESIDUE;
}

/*
 * Reset all, then wait for all; an error with one name does not stop the
 * others.
 */
static int reset_all(xenfork_ctx *ctx, const struct options *options,
                     xenfork_result **results)
{
    int i, rc, status, worst = EXIT_DONE;
    uint64_t end_ms = 0;

    session_begin_names(ctx, options->count);
    for (i = 0; i < options->count && !session_is_cancelled(); i++) {
        rc = reset_one(ctx, options->names[i], options->flags, &results[i]);
        status = rc < 0 ? session_failed(ctx, rc) : print_reset(results[i]);
        if (status > worst)
            worst = status;
    }
    if (i < options->count) {
        status = session_interrupted(options->names + i);
        if (status > worst)
            worst = status;
    }
    worst = session_end_names(ctx, options->count, worst);
    for (i = 0; i < options->count && options->wait_s; i++) {
        status = results[i] ? wait_for_clones(ctx, results[i], options->wait_s,
                                              &end_ms)
                            : EXIT_DONE;
        if (status > worst)
            worst = status;
    }
    return worst;
}

static int main_fork_reset(int argc, char **argv)
{
    struct options options = {0};
    xenfork_result **results;
    xenfork_ctx *ctx = NULL;
    int i, status;

    if (!parse_reset(argc, argv, &options))
        return options.status;
    status = session_open(&ctx);
    if (status != EXIT_DONE)
        return status;
    results = calloc((size_t)options.count, sizeof(*results));
    if (results) {
        status = reset_all(ctx, &options, results);
    } else {
        perror("xl");
        status = EXIT_FAILED;
    }
    for (i = 0; results && i < options.count; i++)
        xenfork_result_free(results[i]);
    free(results);
    session_close(ctx);
    return status;
}

const struct cmd cmd_fork_reset = {
    .name = "fork-reset",
    .run = main_fork_reset,
    .usage = "[--paused] [--wait[=S]] CLONE...",
    .help =
        "Put clones back to where they were forked\n"
        "\n"
        "Memory and disks are as they were at the fork: what a clone did since\n"
        "is lost, and nobody is asked.  Name, UUID, MAC addresses, bridges and\n"
        "parameters are kept; the number of its domain is another.  Its agent\n"
        "adapts it again, and its NICs are held until then, as after\n"
        "the fork.  A clone that has ended starts there.\n"
        "The image must still be there.  It goes with its last clone that runs,\n"
        "unless it was to be kept.\n"
        "\n"
        "      --paused   do not let them run\n"
        "      --wait[=S] wait until every clone's agent has acknowledged, or\n"
        "                 reported an error: S seconds (default 60) in all\n"
        "  -v, --verbose  show each stage; twice: every call to Xen\n"
        "  -h, --help     this text\n"
        "\n"
        "Exit status: 0 done; 1 failed; 2 usage; 3 failed and something\n"
        "is left.\n",
};

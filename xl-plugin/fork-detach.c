/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* xl fork-detach */
#include "config.h"

#include <fcntl.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/wait.h>
#include <syslog.h>
#include <unistd.h>

#include "args.h"
#include "cmd.h"
#include "exitcodes.h"
#include "progress.h"
#include "session.h"

#define RATE_MAX (1U << 20) /* MiB a second */

struct options {
    int status; /* what to exit with, when there is nothing to do */
    bool is_waiting, is_stopping;
    uint64_t rate_mib;
    const char *dir, *format;
    const char *name;
};

enum {
    OPT_FORMAT = 256,
    OPT_RATE,
    OPT_STOP,
    OPT_TO,
    OPT_WAIT,
};

static const struct option long_options[] = {
    {"format", required_argument, NULL, OPT_FORMAT},
    {"rate", required_argument, NULL, OPT_RATE},
    {"stop", no_argument, NULL, OPT_STOP},
    {"to", required_argument, NULL, OPT_TO},
    {"wait", no_argument, NULL, OPT_WAIT},
    {"verbose", no_argument, NULL, 'v'},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

static bool end_detach_options(struct options *options, int status)
{
    options->status = status;
    return false;
}

/*
 * Parse the options.  False: help or usage has been printed; exit with the
 * status.
 */
static bool parse_detach(int argc, char **argv, struct options *options)
{
    int opt;

    while ((opt = getopt_long(argc, argv, "vh", long_options, NULL)) != -1) {
        switch (opt) {
        case 'v':
            verbosity++;
            break;
        case 'h':
            return end_detach_options(options, cmd_help(&cmd_fork_detach));
        case OPT_RATE:
            if (parse_number(optarg, 1, RATE_MAX, &options->rate_mib))
                break;
            fprintf(stderr, "xl: --rate %s: not a number from 1 to %u\n",
                    optarg, RATE_MAX);
            return end_detach_options(options, EXIT_USAGE);
        case OPT_FORMAT:
            options->format = optarg;
            break;
        case OPT_TO:
            options->dir = optarg;
            break;
        case OPT_STOP:
            options->is_stopping = true;
            break;
        case OPT_WAIT:
            options->is_waiting = true;
            break;
        default:
            return end_detach_options(options, cmd_usage(&cmd_fork_detach));
        }
    }
    if (argc - optind != 1 || (options->is_stopping && options->is_waiting) ||
        (options->format && !options->dir))
        return end_detach_options(options, cmd_usage(&cmd_fork_detach));
    options->name = argv[optind];
    return true;
}

/* Let the parent process exit: the detach has begun. */
static void leave(void *opaque, int stage, uint32_t clone, uint64_t done,
                  uint64_t total)
{
    int *begun_fd = opaque;
    int null;

    (void)clone;
    (void)done;
    (void)total;
    if (*begun_fd < 0 || stage != XENFORK_STAGE_DETACH)
        return;
    null = open("/dev/null", O_RDWR);
    if (null < 0 || write(*begun_fd, "b", 1) != 1)
        return;
    dup2(null, STDIN_FILENO);
    dup2(null, STDOUT_FILENO);
    dup2(null, STDERR_FILENO);
    close(null);
    close(*begun_fd);
    *begun_fd = -1;
}

/* Report the end of the detach to syslog: the terminal is gone. */
static void report_end(const xenfork_ctx *ctx, const char *name, int rc)
{
    openlog("xl", LOG_PID, LOG_DAEMON);
    if (rc < 0)
        syslog(LOG_ERR, "fork-detach %s: %s", name, xenfork_error_text(ctx));
    else
        syslog(LOG_INFO, "fork-detach %s: done", name);
    closelog();
}

/* Detach.  begun_fd -1: at a terminal. */
static int run_detach(const struct options *options, int begun_fd)
{
    bool is_apart = begun_fd >= 0;
    xenfork_ctx *ctx = NULL;
    int status, rc;

    status = session_open(&ctx);
    if (status != EXIT_DONE)
        return status;
    if (is_apart)
        xenfork_set_progress(ctx, leave, &begun_fd);
    else if (is_terminal)
        xenfork_set_progress(ctx, progress_draw, NULL);
    rc = xenfork_detach(ctx, options->name, options->dir, options->format,
                        options->rate_mib * 1024);
    progress_end();
    if (is_apart && begun_fd < 0)
        report_end(ctx, options->name, rc);
    if (rc < 0)
        status = session_failed(ctx, rc);
    session_close(ctx);
    return status;
}

static int detach_apart(const struct options *options)
{
    int fds[2], status = 0;
    char word;
    pid_t pid;

    if (pipe(fds) || (pid = fork()) < 0) {
        perror("xl: cannot start a process");
        return EXIT_FAILED;
    }
    if (pid == 0) {
        close(fds[0]);
        setsid();
        _exit(run_detach(options, fds[1]));
    }
    close(fds[1]);
    if (read(fds[0], &word, 1) == 1) {
        printf("%s is being detached: xl fork-info %s tells how far it is\n",
               options->name, options->name);
        return fflush(stdout) == 0 ? EXIT_DONE : EXIT_FAILED;
    }
    if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
        return EXIT_FAILED;
    return WEXITSTATUS(status);
}

static int stop_detaching(const char *name)
{
    xenfork_ctx *ctx = NULL;
    int status = session_open(&ctx);
    int rc;

    if (status != EXIT_DONE)
        return status;
    rc = xenfork_detach_stop(ctx, name);
    if (rc < 0)
        status = session_failed(ctx, rc);
    session_close(ctx);
    return status;
}

static int main_fork_detach(int argc, char **argv)
{
    struct options options = {0};

    if (!parse_detach(argc, argv, &options))
        return options.status;
    if (options.is_stopping)
        return stop_detaching(options.name);
    return options.is_waiting ? run_detach(&options, -1)
                              : detach_apart(&options);
}

const struct cmd cmd_fork_detach = {
    .name = "fork-detach",
    .run = main_fork_detach,
    .usage = "[--to=DIR [--format=FORMAT]] [--rate=MIB] [--wait | --stop] "
             "CLONE",
    .help =
        "Give a clone memory and disks of its own\n"
        "\n"
        "This is done in the background, while the clone runs.  Afterwards\n"
        "its image, its source and the bases of its disks may be removed.\n"
        "It may be stopped or killed; run the command again to continue.\n"
        "\n"
        "      --to=DIR         make the disks files in this folder\n"
        "      --format=FORMAT  the format of those files: raw or qcow2\n"
        "      --rate=MIB       at most so many MiB a second\n"
        "      --wait           wait until it is done, with a progress bar;\n"
        "                       Ctrl-C stops it\n"
        "      --stop           stop a detach that is under way\n"
        "  -v, --verbose        show each stage; twice: every call to Xen\n"
        "  -h, --help           this text\n"
        "\n"
        "Exit status: 0 done, or begun; 1 failed or stopped, the clone is\n"
        "as good as before; 2 usage; 3 failed and something is left.\n",
};

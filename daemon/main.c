/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * xenforkd: freezes guests that ask for it, applies the policies of clones
 * and of sources that xl has left, and finishes what killed processes began.
 */
#include "config.h"
#include "loop.h"

#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/ids.h"
#include "pidfile.h"
#include "log.h"
#include "worker-main.h"
#include "worker-pool.h"

#define EXIT_USAGE   2
#define EXIT_RUNNING 3

static const char usage[] =
    "Usage: xenforkd [OPTION…]\n"
    "\n"
    "  -f, --foreground    stay in the foreground; messages go to stderr\n"
    "  -c, --config FILE   configuration (default: " XENFORK_CONFIG_FILE ")\n"
    "      --check-config  check the configuration, and end\n"
    "  -h, --help          show this text, and end\n"
    "  -V, --version       show the version, and end\n";

struct arguments {
    struct loop_options loop;
    bool is_check;
    int kind;        /* of a worker; -1: the daemon itself */
    char **operands; /* the worker's: see loop.c */
};

enum {
    OPTION_CHECK = 256,
    OPTION_WORKER
};

static const struct option options[] = {
    {"foreground", no_argument, NULL, 'f'},
    {"config", required_argument, NULL, 'c'},
    {"check-config", no_argument, NULL, OPTION_CHECK},
    {"worker", required_argument, NULL, OPTION_WORKER},
    {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, 'V'},
    {0},
};

/* Take an option; return an exit status, or -1: go on. */
static int take_argument(struct arguments *arguments, int option)
{
    switch (option) {
    case 'f':
        arguments->loop.is_foreground = true;
        return -1;
    case 'c':
        arguments->loop.config_file = optarg;
        arguments->loop.is_default_file = false;
        return -1;
    case OPTION_CHECK:
        arguments->is_check = true;
        return -1;
    case OPTION_WORKER:
        return worker_kind_parse(optarg, &arguments->kind) ? -1 : EXIT_USAGE;
    case 'h':
        fputs(usage, stdout);
        return 0;
    case 'V':
        puts("xenforkd " PACKAGE_VERSION);
        return 0;
    default:
        fputs(usage, stderr);
        return EXIT_USAGE;
    }
}

static int parse_arguments(struct arguments *arguments, int argc, char **argv)
{
    int option, status = -1;

    while (status < 0 &&
           (option = getopt_long(argc, argv, "fc:hV", options, NULL)) != -1)
        status = take_argument(arguments, option);
    if (status >= 0)
        return status;
    arguments->operands = argv + optind;
    if (argc - optind == (arguments->kind < 0 ? 0 : WORKER_OPERANDS))
        return -1;
    fputs(usage, stderr);
    return EXIT_USAGE;
}

/* Go to the background; errors from here on go to syslog. */
static int go_to_background(void)
{
    cleanup_close int null = open("/dev/null", O_RDWR | O_CLOEXEC);

    if (null < 0 || daemon(0, 1) < 0)
        return -1;
    umask(077);
    if (dup2(null, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0 ||
        dup2(null, STDERR_FILENO) < 0)
        return -1;
    return 0;
}

/*
 * Run a worker with TARGET LEVEL VALUE: the configuration may have changed
 * since it was read.
 */
static int run_worker(const struct arguments *arguments)
{
    uint32_t level, value;
    xenfork_ctx *ctx;
    int status;

    if (!log_level_parse(arguments->operands[1], &level) ||
        !xenfork__parse_u32(arguments->operands[2], &value))
        return EXIT_USAGE;
    log_open("xenforkd", !arguments->loop.is_foreground);
    log_set_level(level);
    if (xenfork_open(&ctx, log_xen_logger(), 0) < 0)
        return 1;
    status = work(ctx, arguments->kind, arguments->operands[0], value);
    xenfork_close(ctx);
    return status;
}

static int report_lock(int error)
{
    if (error == EAGAIN) {
        fputs("xenforkd: another one is running\n", stderr);
        return EXIT_RUNNING;
    }
    fprintf(stderr, "xenforkd: cannot lock %s: %s\n", XENFORK_PID_FILE,
            strerror(error));
    return 1;
}

/*
 * Run the daemon, which takes its lock before it goes to the background, so
 * that a second one can report that.
 */
static int run_daemon(const struct arguments *arguments,
                      const struct config *config)
{
    cleanup_close int lock = instance_take(XENFORK_PID_FILE);
    cleanup_free char *config_file = NULL;
    struct loop_options loop = arguments->loop;
    xenfork_ctx *ctx;
    int status;

    if (lock < 0)
        return report_lock(errno);
    /* The file is read again later, from another working directory. */
    config_file = realpath(arguments->loop.config_file, NULL);
    if (config_file)
        loop.config_file = config_file;
    if (!arguments->loop.is_foreground && go_to_background() < 0) {
        fprintf(stderr, "xenforkd: cannot become a daemon: %s\n",
                strerror(errno));
        return 1;
    }
    if (!instance_sign(lock))
        fprintf(stderr, "xenforkd: cannot write %s\n", XENFORK_PID_FILE);
    log_open("xenforkd", !arguments->loop.is_foreground);
    log_set_level(config->log_level);
    if (xenfork_open(&ctx, log_xen_logger(), 0) < 0) {
        log_error("start", "result=failed reason=\"no access to Xen\"");
        return 1;
    }
    status = loop_run(ctx, &loop, config);
    xenfork_close(ctx);
    return status;
}

int main(int argc, char **argv)
{
    struct arguments arguments = {
        .loop = {.config_file = XENFORK_CONFIG_FILE, .is_default_file = true},
        .kind = -1};
    char message[CONFIG_MESSAGE];
    struct config config;
    int status = parse_arguments(&arguments, argc, argv);

    if (status >= 0)
        return status;
    if (arguments.kind >= 0)
        return run_worker(&arguments);
    if (!loop_load_config(&arguments.loop, &config, message)) {
        fprintf(stderr, "xenforkd: %s\n", message);
        return EXIT_USAGE;
    }
    if (arguments.is_check)
        return 0;
    return run_daemon(&arguments, &config);
}

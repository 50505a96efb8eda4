/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* xenfork-agent: see docs/xenfork-agent.8.pod */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent.h"
#include "commands.h"
#include "util.h"

#define SECONDS_MAX 86400

static const char usage_text[] =
    "Usage: xenfork-agent [OPTION]... COMMAND\n"
    "\n"
    "Commands:\n"
    "  freeze    freeze this domain; print source or clone when it goes on\n"
    "  watch     wait for forks, and adapt to each (the service)\n"
    "  adapt     adapt now, unless that was done\n"
    "  role      print source, frozen or clone; none if it was never forked\n"
    "  params    print all parameters of this clone, quoted for a shell\n"
    "  get KEY   print one parameter\n"
    "\n"
    "Options:\n"
    "  -t, --timeout SECONDS       freeze: wait at most so long for it\n"
    "                              (default 60; 0: without limit)\n"
    "  -e, --eval                  params: name them XENFORK_PARAM_KEY, as for\n"
    "                              hooks\n"
    "      --hook-timeout SECONDS  for each hook (default 60)\n"
    "      --config-dir DIR        where the hooks are (default " XENFORK_AGENT_CONFIG_DIR
    ")\n"
    "      --run-dir DIR           lock and state (default /run/xenfork)\n"
    "      --state-dir DIR         which fork was adapted to, over restarts\n"
    "                              (default /var/lib/xenfork-agent)\n"
    "      --random DEVICE         the kernel's random numbers (default\n"
    "                              /dev/urandom)\n"
    "      --xenbus PATH           device or socket of xenstore (default\n"
    "                              /dev/xen/xenbus, then /proc/xen/xenbus)\n"
    "  -h, --help                  this text\n"
    "\n"
    "Exit status: 0 done, of freeze: this is the source; 10 of freeze: this is\n"
    "a clone; 1 failed; 2 usage.\n";

enum {
    OPT_HOOK_TIMEOUT = 256,
    OPT_CONFIG_DIR,
    OPT_RUN_DIR,
    OPT_STATE_DIR,
    OPT_RANDOM,
    OPT_XENBUS,
};

static const struct option long_options[] = {
    {"timeout", required_argument, NULL, 't'},
    {"eval", no_argument, NULL, 'e'},
    {"hook-timeout", required_argument, NULL, OPT_HOOK_TIMEOUT},
    {"config-dir", required_argument, NULL, OPT_CONFIG_DIR},
    {"run-dir", required_argument, NULL, OPT_RUN_DIR},
    {"state-dir", required_argument, NULL, OPT_STATE_DIR},
    {"random", required_argument, NULL, OPT_RANDOM},
    {"xenbus", required_argument, NULL, OPT_XENBUS},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

static bool parse_seconds(const char *text, unsigned int min,
                          unsigned int *seconds_out)
{
    unsigned long value;
    char *end;

    errno = 0;
    value = strtoul(text, &end, 10);
    if (*text < '0' || *text > '9' || *end || errno || value < min ||
        value > SECONDS_MAX)
        return false;
    *seconds_out = (unsigned int)value;
    return true;
}

/* Take an option; tell whether it exists, and its value is valid. */
static bool take_option(int opt, struct options *options)
{
    switch (opt) {
    case 't':
        return parse_seconds(optarg, 0, &options->timeout_s);
    case 'e':
        options->is_eval = true;
        return true;
    case OPT_HOOK_TIMEOUT:
        return parse_seconds(optarg, 1, &options->hook_timeout_s);
    case OPT_CONFIG_DIR:
        options->config_dir = optarg;
        return true;
    case OPT_RUN_DIR:
        options->run_dir = optarg;
        return true;
    case OPT_STATE_DIR:
        options->state_dir = optarg;
        return true;
    case OPT_RANDOM:
        options->random = optarg;
        return true;
    case OPT_XENBUS:
        options->xenbus = optarg;
        return true;
    default:
        return false;
    }
}

static int run(char **words, struct store *store, const struct options *options)
{
    if (!strcmp(words[0], "freeze"))
        return run_freeze(store, options);
    if (!strcmp(words[0], "watch"))
        return run_watch(store, options);
    if (!strcmp(words[0], "adapt"))
        return run_adapt(store, options);
    if (!strcmp(words[0], "role"))
        return run_role(store);
    if (!strcmp(words[0], "params"))
        return run_params(store, options);
    return run_get(store, words[1]);
}

/* Tell whether COUNT words are a command with its arguments. */
static bool is_command(int count, char **words)
{
    static const char *const bare[] = {"freeze", "watch", "adapt", "role",
                                       "params"};
    size_t i;

    if (count == 2 && !strcmp(words[0], "get"))
        return true;
    for (i = 0; count == 1 && i < sizeof(bare) / sizeof(bare[0]); i++)
        if (!strcmp(words[0], bare[i]))
            return true;
    return false;
}

static int usage(void)
{
    fputs("Try xenfork-agent --help.\n", stderr);
    return AGENT_USAGE;
}

/* Block SIGCHLD: hooks are waited for by sigtimedwait(). */
static void block_sigchld(void)
{
    sigset_t child;

    signal(SIGCHLD, SIG_DFL);
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    sigprocmask(SIG_BLOCK, &child, NULL);
    signal(SIGPIPE, SIG_IGN);
}

int main(int argc, char **argv)
{
    struct options options = {
        .config_dir = XENFORK_AGENT_CONFIG_DIR,
        .run_dir = "/run/xenfork",
        .state_dir = "/var/lib/xenfork-agent",
        .random = "/dev/urandom",
        .hook_timeout_s = 60,
        .timeout_s = 60,
    };
    struct store store;
    int opt, rc, status;

    while ((opt = getopt_long(argc, argv, "t:eh", long_options, NULL)) != -1) {
        if (opt == 'h') {
            fputs(usage_text, stdout);
            return AGENT_DONE;
        }
        if (!take_option(opt, &options)) {
            if (opt != '?')
                complain("not a number of seconds: %s", optarg);
            return usage();
        }
    }
    if (!is_command(argc - optind, argv + optind))
        return usage();
    rc = store_open(&store, options.xenbus);
    if (rc < 0) {
        complain("cannot open %s: %s",
                 options.xenbus ? options.xenbus : "/dev/xen/xenbus",
                 strerror(-rc));
        return AGENT_FAILED;
    }
    block_sigchld();
    status = run(argv + optind, &store, &options);
    store_close(&store);
    if (fflush(stdout) != 0 && status != AGENT_FAILED) {
        complain("cannot write: %s", strerror(errno));
        return AGENT_FAILED;
    }
    return status;
}

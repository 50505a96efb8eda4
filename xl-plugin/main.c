/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* xl-fork: our verbs.  xl (front.c) execs this with its own arguments. */
#include "config.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cmd.h"
#include "exitcodes.h"

int verbosity;
bool is_dry_run;
bool is_terminal;

static const struct cmd *const cmds[] = {
    &cmd_fork,
    &cmd_fork_check,
    &cmd_fork_list,
    &cmd_fork_info,
    &cmd_fork_disk_list,
    &cmd_fork_memory,
    &cmd_fork_net,
    &cmd_fork_freeze,
    &cmd_fork_thaw,
    &cmd_fork_hydrate,
    &cmd_fork_detach,
    &cmd_fork_reset,
    &cmd_fork_start,
    &cmd_fork_destroy,
    &cmd_fork_forget,
    &cmd_fork_image_destroy,
    &cmd_fork_recover,
};

#define CMD_COUNT (sizeof(cmds) / sizeof(cmds[0]))

static const struct cmd *find_verb(const char *name)
{
    size_t i;

    for (i = 0; i < CMD_COUNT; i++)
        if (strcmp(cmds[i]->name, name) == 0)
            return cmds[i];
    return strcmp(cmd_fork_guard.name, name) == 0 ? &cmd_fork_guard : NULL;
}

int cmd_help(const struct cmd *cmd)
{
    printf("Usage: xl %s %s\n\n%s", cmd->name, cmd->usage, cmd->help);
    return fflush(stdout) == 0 ? EXIT_DONE : EXIT_FAILED;
}

int cmd_usage(const struct cmd *cmd)
{
    fprintf(stderr, "Usage: xl %s %s\nSee xl %s --help.\n", cmd->name,
            cmd->usage, cmd->name);
    return EXIT_USAGE;
}

/*
 * Print help in the form of xl's own list of commands, which comes before it.
 */
static int help_all(void)
{
    size_t i;

    printf("\nxenfork's subcommands:\n\n");
    for (i = 0; i < CMD_COUNT; i++)
        printf(" %-19s %.*s\n", cmds[i]->name,
               (int)strcspn(cmds[i]->help, "\n"), cmds[i]->help);
    return fflush(stdout) == 0 ? EXIT_DONE : EXIT_FAILED;
}

static int print_help(const char *name)
{
    const struct cmd *cmd;

    if (!name)
        return help_all();
    cmd = find_verb(name);
    if (cmd)
        return cmd_help(cmd);
    fprintf(stderr, "xl: no command '%s'\n", name);
    return EXIT_USAGE;
}

int main(int argc, char **argv)
{
    const struct cmd *cmd;
    int opt;

    while ((opt = getopt(argc, argv, "+vftTN")) != -1) {
        switch (opt) {
        case 'v':
            verbosity++;
            break;
        case 'N':
            is_dry_run = true;
            break;
        case 'f':
        case 't':
        case 'T':
            break; /* about xl's lock and its progress: nothing to us */
        default:
            return EXIT_USAGE;
        }
    }
    is_terminal = isatty(STDERR_FILENO);
    argc -= optind;
    argv += optind;
    if (argc == 0)
        return print_help(NULL);
    if (strcmp(argv[0], "help") == 0)
        return print_help(argv[1]);

    cmd = find_verb(argv[0]);
    if (!cmd)
        return print_help(argv[0]);
    if (is_dry_run && cmd != &cmd_fork) {
        fprintf(stderr, "xl: -N is for xl fork, not for xl %s\n", cmd->name);
        return EXIT_USAGE;
    }
    optind = 0; /* glibc: start afresh */
    return cmd->run(argc, argv);
}

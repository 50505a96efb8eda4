/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * xl: stands ahead of the real xl in PATH.  Commands that begin with "fork"
 * go to xl-fork beside this program, everything else to the real xl, by exec:
 * arguments, stdin, exit status and signals are what they were.  Where there
 * are images, verbs that would spoil one are looked at before: guard.c.
 */
#include "config.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "all.h"
#include "exitcodes.h"
#include "guard.h"
#include "real-xl.h"

static bool is_fork_verb(const char *command)
{
    return strcmp(command, "fork") == 0 || strncmp(command, "fork-", 5) == 0;
}

/*
 * Return the index of the command: the first argument past xl's own -v -f -t -T
 * -N.
 */
static int find_command(int argc, char **argv)
{
    int i;

    for (i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--") == 0)
            return i + 1;
        if (argv[i][0] != '-' || !argv[i][1])
            return i;
        if (strspn(argv[i] + 1, "vftTN") != strlen(argv[i] + 1))
            return argc;
    }
    return argc;
}

/* Find xl-fork in the folder of this program. */
static bool find_verbs(char path_out[PATH_MAX + sizeof("-fork")])
{
    ssize_t len = readlink("/proc/self/exe", path_out, PATH_MAX);

    if (len < 0) {
        fprintf(stderr, "xl: cannot read /proc/self/exe: %s\n",
                strerror(errno));
        return false;
    }
    strcpy(path_out + len, "-fork");
    return true;
}

static int exec_verbs(char **argv)
{
    char path[PATH_MAX + sizeof("-fork")];

    if (!find_verbs(path))
        return EXIT_FAILED;
    execv(path, argv);
    fprintf(stderr, "xl: cannot run %s: %s\n", path, strerror(errno));
    return EXIT_FAILED;
}

/* Print the real xl's help first, and ours even if that fails. */
static int print_both_helps(char **argv)
{
    pid_t pid = fork();

    if (pid == 0)
        _exit(real_xl_exec(argv));
    if (pid < 0)
        fprintf(stderr, "xl: cannot run Xen's own xl: %s\n", strerror(errno));
    while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
    return exec_verbs(argv);
}

int main(int argc, char **argv)
{
    int command = find_command(argc, argv);
    char path[PATH_MAX + sizeof("-fork")];
    int status = ALL_NOT_OURS;

    if (command < argc) {
        if (is_fork_verb(argv[command]))
            return exec_verbs(argv);
        if (strcmp(argv[command], "help") == 0) {
            if (command + 1 == argc)
                return print_both_helps(argv);
            if (is_fork_verb(argv[command + 1]))
                return exec_verbs(argv);
        }
        if (find_verbs(path)) {
            if (guard_refuses(path, argv + command))
                return EXIT_FAILED;
            status = all_run(path, argv, command);
        }
    }
    return status == ALL_NOT_OURS ? real_xl_exec(argv) : status;
}

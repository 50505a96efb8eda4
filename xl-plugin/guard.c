/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Verbs of Xen's own xl that would spoil an image, or take a clone away from
 * this host.  libc only, as front.c; without images and clones nothing is run.
 */
#include "config.h"

#include "guard.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "exitcodes.h"

#ifndef GUARD_STATE_DIR /* the tests' */
#define GUARD_STATE_DIR XENFORK_STATE_DIR
#endif
#define MAX_NAMES    256
#define EXIT_NOT_RUN 127

#define LEAVES 1 /* the domain goes where its second argument says */
#define MANY   2 /* each argument is a domain */

/* xl's own, and what of their options has a value: xl_cmdtable.c, 4.17 on */
static const struct guarded {
    const char *verb, *values;
    int flags;
} verbs[] = {
    {"unpause", "", 0},         {"pause", "", 0},
    {"destroy", "", 0},         {"shutdown", "", MANY},
    {"reboot", "", MANY},       {"rename", "", 0},
    {"save", "", LEAVES},       {"migrate", "Cs", LEAVES},
    {"remus", "isN", LEAVES},   {"suspend", "", 0},
    {"resume", "", 0},          {"trigger", "", 0},
    {"sysrq", "", 0},           {"button-press", "", 0},
    {"mem-set", "", 0},         {"mem-max", "", 0},
    {"vcpu-set", "", 0},        {"vcpu-pin", "", 0},
    {"cpupool-migrate", "", 0}, {"block-attach", "", 0},
    {"block-detach", "", 0},    {"network-attach", "", 0},
    {"network-detach", "", 0},  {"pci-attach", "", 0},
    {"pci-detach", "", 0},      {"cd-insert", "", 0},
    {"cd-eject", "", 0},        {"vtpm-attach", "", 0},
    {"vtpm-detach", "", 0},     {"vkb-attach", "", 0},
    {"vkb-detach", "", 0},      {"vsnd-attach", "", 0},
    {"vsnd-detach", "", 0},     {"vdispl-attach", "", 0},
    {"vdispl-detach", "", 0},   {"usbctrl-attach", "", 0},
    {"usbctrl-detach", "", 0},  {"usbdev-attach", "", 0},
    {"usbdev-detach", "", 0},   {"qemu-monitor-command", "", 0},
};

#define VERB_COUNT ((int)(sizeof(verbs) / sizeof(verbs[0])))

static bool has_entry(const char *kind)
{
    char path[4096];
    DIR *dir;
    const struct dirent *entry = NULL;

    snprintf(path, sizeof(path), "%s/%s", GUARD_STATE_DIR, kind);
    dir = opendir(path);
    while (dir && (entry = readdir(dir)) && entry->d_name[0] == '.')
        ;
    if (dir)
        closedir(dir);
    return entry;
}

/* Tell whether such an option has its value in the next argument. */
static bool wants_value(const struct guarded *verb, const char *option)
{
    const char *letter;

    if (option[1] == '-')
        return strncmp(option, "--max_", 6) == 0 && !strchr(option, '=');
    for (letter = option + 1; *letter; letter++)
        if (strchr(verb->values, *letter))
            return !letter[1];
    return false;
}

/* Find the arguments that are not options; returns how many. */
static int find_names(const struct guarded *verb, char **argv, char **names,
                      int max)
{
    bool is_past = false;
    int count = 0;

    for (; *argv && count < max; argv++) {
        if (!is_past && strcmp(*argv, "--") == 0)
            is_past = true;
        else if (is_past || (*argv)[0] != '-')
            names[count++] = *argv;
        else if (wants_value(verb, *argv) && argv[1])
            argv++;
    }
    return count;
}

static bool is_refused(const char *program, const char *verb, char *name,
                       char *where)
{
    char *const argv[] = {(char *)"xl-fork",
                          (char *)"fork-guard",
                          (char *)verb,
                          name,
                          where,
                          NULL};
    int status = 0;
    pid_t pid = fork();

    if (pid == 0) {
        execv(program, argv);
        _exit(EXIT_NOT_RUN);
    }
    while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (pid > 0 && WIFEXITED(status) && WEXITSTATUS(status) != EXIT_NOT_RUN)
        return WEXITSTATUS(status) == EXIT_REFUSED;
    if (where)
        fprintf(stderr,
                "xl: %s, which notes that a clone leaves, could not be run: "
                "xl %s was not begun\n",
                program, verb);
    return where;
}

/* Count the verbs that begin so; an exact match counts alone. */
static int count_verbs(const char *begin, const struct guarded **verb_out)
{
    int count = 0, i;

    for (i = 0; i < VERB_COUNT; i++) {
        if (strncmp(verbs[i].verb, begin, strlen(begin)) != 0)
            continue;
        *verb_out = &verbs[i];
        if (strcmp(verbs[i].verb, begin) == 0)
            return 1;
        count++;
    }
    return count;
}

/*
 * Refuse a guarded verb.  xl takes a verb that is cut short, if no other begins
 * so (cmdtable_lookup() in xl_cmdtable.c).  It takes none of several that are
 * guarded.
 */
bool guard_refuses(const char *program, char **argv)
{
    const struct guarded *verb;
    char *names[MAX_NAMES];
    int count, i;
    bool refused = false;

    if (count_verbs(argv[0], &verb) != 1 ||
        (!has_entry("images") &&
         (!(verb->flags & LEAVES) || !has_entry("clones"))))
        return false;
    count = find_names(verb, argv + 1, names, MAX_NAMES);
    for (i = 0; i < count && (i == 0 || verb->flags & MANY); i++)
        refused |= is_refused(program, verb->verb, names[i],
                              verb->flags & LEAVES && count > 1 ? names[1]
                                                                : NULL);
    return refused;
}

bool guard_takes_all(const char *verb)
{
    const struct guarded *found;

    return count_verbs(verb, &found) == 1 && found->flags & MANY &&
           has_entry("images");
}

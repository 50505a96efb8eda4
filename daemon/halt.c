/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "halt.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "host/run.h"

#define PATH_BYTES 256U
#define ARGS_BYTES 4096U

static bool is_xendomains(const char *word)
{
    const char *slash = strrchr(word, '/');

    return !strcmp(slash ? slash + 1 : word, "xendomains");
}

/*
 * Check for "/bin/sh /usr/lib/xen/bin/xendomains stop"; a restart is a stop,
 * too.
 */
static bool ends_domains(const char *args, size_t bytes)
{
    const char *word = args, *action;

    for (; word < args + bytes; word += strlen(word) + 1) {
        action = word + strlen(word) + 1;
        if (is_xendomains(word) && action < args + bytes)
            return strcmp(action, "start") != 0 &&
                   strcmp(action, "status") != 0;
    }
    return false;
}

/* Look at root's processes alone: anybody may give a process such a name. */
static bool is_ending(int proc, const char *pid)
{
    char path[PATH_BYTES], args[ARGS_BYTES + 1];
    cleanup_close int fd = -1;
    struct stat st;
    ssize_t n;

    snprintf(path, sizeof(path), "%.20s/cmdline", pid);
    fd = openat(proc, path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) || st.st_uid)
        return false;
    n = read(fd, args, ARGS_BYTES);
    if (n <= 0)
        return false;
    args[n] = '\0';
    return ends_domains(args, (size_t)n);
}

bool halt_has_xendomains(const char *root)
{
    cleanup_dir DIR *dir = NULL;
    char path[PATH_BYTES];
    struct dirent *entry;

    snprintf(path, sizeof(path), "%.200s/proc", root);
    dir = opendir(path);
    while (dir && (entry = readdir(dir)))
        if (entry->d_name[0] >= '0' && entry->d_name[0] <= '9' &&
            is_ending(dirfd(dir), entry->d_name))
            return true;
    return !dir;
}

/*
 * Read SystemState, systemctl(1): it is "stopping" as soon as a shutdown is
 * queued.
 */
static bool is_systemd_stopping(xenfork_ctx *ctx, const char *root)
{
    static const char *const argv[] = {"systemctl", "show", "--value",
                                       "--property=SystemState", NULL};
    cleanup_free char *state = NULL;
    char path[PATH_BYTES];

    snprintf(path, sizeof(path), "%.200s/run/systemd/system", root);
    if (access(path, F_OK))
        return false;
    return xenfork__sys_run(ctx, XENFORK_E_IO, argv, &state) < 0 || !state[0] ||
           !strncmp(state, "stopping", 8);
}

bool halt_is_near(xenfork_ctx *ctx, const char *root)
{
    return halt_has_xendomains(root) || is_systemd_stopping(ctx, root);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * It has its output in a log named after the domain (do_daemonize(),
 * tools/xl/xl_utils.c; libxl_create_logfile(); 4.17 to 4.20), which is how it
 * is known.  xl create -F keeps its terminal instead.
 */
#include "config.h"

#include "watcher.h"

#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/types.h>

#include "cleanup.h"

#define LOG_DIR       "/var/log/xen/"
#define CMDLINE_BYTES 4096U

/* The name of the program that a process runs; false: none to be seen. */
static bool is_xl(const char *proc, const char *pid)
{
    cleanup_free char *path = NULL;
    char exe[256];
    const char *slash;
    ssize_t n;

    if (asprintf(&path, "%s/%s/exe", proc, pid) < 0) {
        path = NULL;
        return false;
    }
    n = readlink(path, exe, sizeof(exe) - 1);
    if (n <= 0)
        return false;
    exe[n] = '\0';
    /* A package upgraded under it. */
    if (n > 10 && !strcmp(exe + n - 10, " (deleted)"))
        exe[n - 10] = '\0';
    slash = strrchr(exe, '/');
    return !strcmp(slash ? slash + 1 : exe, "xl");
}

static bool has_log(const char *proc, const char *pid, const char *log)
{
    cleanup_free char *path = NULL;
    char target[512];
    ssize_t n;

    if (asprintf(&path, "%s/%s/fd/1", proc, pid) < 0) {
        path = NULL;
        return false;
    }
    n = readlink(path, target, sizeof(target) - 1);
    if (n <= 0)
        return false;
    target[n] = '\0';
    return !strcmp(target, log);
}

/* "create" or "restore", and -F alone or among other letters. */
static bool is_in_foreground(const char *proc, const char *pid)
{
    char text[CMDLINE_BYTES + 1];
    cleanup_free char *path = NULL;
    cleanup_close int fd = -1;
    bool is_watching = false, is_front = false;
    const char *word;
    ssize_t n;

    if (asprintf(&path, "%s/%s/cmdline", proc, pid) < 0) {
        path = NULL;
        return false;
    }
    fd = open(path, O_RDONLY | O_CLOEXEC);
    n = fd < 0 ? -1 : read(fd, text, CMDLINE_BYTES);
    if (n <= 0)
        return false;
    text[n] = '\0';
    for (word = text; word < text + n; word += strlen(word) + 1) {
        if (!strcmp(word, "create") || !strcmp(word, "restore"))
            is_watching = true;
        if (word[0] == '-' && word[1] != '-' && strchr(word, 'F'))
            is_front = true;
    }
    return is_watching && is_front;
}

bool watcher_lives(const char *proc, const char *name)
{
    cleanup_dir DIR *dir = opendir(proc);
    cleanup_free char *log = NULL;
    struct dirent *entry;

    if (asprintf(&log, LOG_DIR "xl-%s.log", name) < 0) {
        log = NULL;
        return true;
    }
    while (dir && (entry = readdir(dir))) {
        const char *pid = entry->d_name;

        if (pid[0] < '0' || pid[0] > '9' || !is_xl(proc, pid))
            continue;
        if (has_log(proc, pid, log) || is_in_foreground(proc, pid))
            return true;
    }
    return !dir;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "dir.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/*
 * Sync a new directory's own name, without which what is synced in it would be
 * lost.
 */
static void sync_name(const char *path)
{
    char parent[PATH_MAX + sizeof("/..")];
    int fd;

    snprintf(parent, sizeof(parent), "%s/..", path);
    fd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return;
    (void)fsync(fd);
    close(fd);
}

int make_dir(const char *path)
{
    char part[PATH_MAX];
    size_t i;

    for (i = 0; path[i] && i < sizeof(part) - 1; i++) {
        part[i] = path[i];
        part[i + 1] = '\0';
        /* A parent that cannot be made may be there: the last one tells. */
        if (i && (path[i + 1] == '/' || !path[i + 1]) && mkdir(part, 0755) == 0)
            sync_name(part);
    }
    if (path[i])
        return -ENAMETOOLONG;
    return mkdir(path, 0755) < 0 && errno != EEXIST ? -errno : 0;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "dir.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>

int make_dir(const char *path)
{
    char part[PATH_MAX];
    size_t i;

    for (i = 0; path[i] && i < sizeof(part) - 1; i++) {
        part[i] = path[i];
        part[i + 1] = '\0';
        /* A parent that cannot be made may be there: the last one tells. */
        if (i && (path[i + 1] == '/' || !path[i + 1]))
            (void)mkdir(part, 0755);
    }
    if (path[i])
        return -ENAMETOOLONG;
    return mkdir(path, 0755) < 0 && errno != EEXIST ? -errno : 0;
}

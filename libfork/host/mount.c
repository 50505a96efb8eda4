/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Where file systems are mounted. */
#include "host/dm.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

/* Tell whether a file system begins at @path; false: or Linux does not tell. */
bool xenfork__sys_is_mounted(const char *path)
{
    struct statx st;

    return !statx(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS,
                  &st) &&
           st.stx_attributes & STATX_ATTR_MOUNT_ROOT;
}

char *xenfork__sys_mount_of(const char *path)
{
    char *at = realpath(path, NULL);
    char *slash;

    while (at && (slash = strrchr(at, '/')) && slash != at) {
        if (xenfork__sys_is_mounted(at))
            return at;
        *slash = '\0';
    }
    free(at);
    return NULL;
}

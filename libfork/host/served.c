/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Find the files that processes and loop devices have open, by whatever name.
 */
#include "host/dm.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <linux/major.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

/*
 * Tell whether a file is open for writing: the links of /proc/PID/fd have the
 * modes in which the files are open.
 */
static bool is_writable(DIR *dir, const char *fd)
{
    struct stat st;

    return !fstatat(dirfd(dir), fd, &st, AT_SYMLINK_NOFOLLOW) &&
           (st.st_mode & S_IWUSR);
}

/* Open the list of a process' files.  NULL: it is gone.  Caller closes it */
static DIR *open_files(uint32_t pid)
{
    char path[32];

    snprintf(path, sizeof(path), "/proc/%u/fd", pid);
    return opendir(path);
}

/* Return the next file or device that it has open.  False: there is none */
static bool next_open(DIR *dir, bool is_for_writing,
                      struct xenfork__disk_identity *open_out)
{
    struct dirent *entry;
    struct stat st;

    while ((entry = readdir(dir))) {
        if (entry->d_name[0] == '.' ||
            (is_for_writing && !is_writable(dir, entry->d_name)) ||
            fstatat(dirfd(dir), entry->d_name, &st, 0) ||
            (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode)))
            continue;
        *open_out = xenfork__disk_identity_of(&st);
        return true;
    }
    return false;
}

bool xenfork__sys_has_open(uint32_t pid,
                           const struct xenfork__disk_identity *what)
{
    cleanup_dir DIR *dir = open_files(pid);
    struct xenfork__disk_identity open;

    while (dir && next_open(dir, false, &open))
        if (xenfork__disk_is_same(&open, what))
            return true;
    return false;
}

bool xenfork__sys_writes(xenfork_ctx *ctx, uint32_t pid,
                         const struct xenfork__areas *areas)
{
    cleanup_dir DIR *dir = open_files(pid);
    struct xenfork__disk_identity open;

    while (dir && next_open(dir, true, &open)) {
        cleanup_areas struct xenfork__areas there = {0};

        if (xenfork__sys_areas(ctx, &open, &there) == 0 &&
            xenfork__areas_meet(&there, areas))
            return true;
    }
    return false;
}

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
#include <time.h>
#include <unistd.h>

#include "host/host.h"

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
static bool next_stat(DIR *dir, bool is_for_writing, struct stat *st_out)
{
    struct dirent *entry;

    while ((entry = readdir(dir)))
        if (entry->d_name[0] != '.' &&
            (!is_for_writing || is_writable(dir, entry->d_name)) &&
            !fstatat(dirfd(dir), entry->d_name, st_out, 0) &&
            (S_ISREG(st_out->st_mode) || S_ISBLK(st_out->st_mode)))
            return true;
    return false;
}

static bool next_open(DIR *dir, bool is_for_writing,
                      struct xenfork__disk_identity *open_out)
{
    struct stat st;

    if (!next_stat(dir, is_for_writing, &st))
        return false;
    *open_out = xenfork__disk_identity_of(&st);
    return true;
}

bool xenfork__sys_has_open(uint32_t pid,
                           const struct xenfork__disk_identity *what,
                           bool is_writer)
{
    cleanup_dir DIR *dir = open_files(pid);
    struct xenfork__disk_identity open;

    while (dir && next_open(dir, is_writer, &open))
        if (xenfork__disk_is_same(&open, what))
            return true;
    return false;
}

uint32_t xenfork__sys_count_open(uint32_t pid,
                                 const struct xenfork__disk_identity *what)
{
    cleanup_dir DIR *dir = open_files(pid);
    struct xenfork__disk_identity open;
    uint32_t count = 0;

    while (dir && next_open(dir, false, &open))
        count += xenfork__disk_is_same(&open, what);
    return count;
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

bool xenfork__sys_has_twin(uint32_t pid,
                           const struct xenfork__disk_identity *what,
                           uint64_t bytes)
{
    cleanup_dir DIR *dir = open_files(pid);
    struct stat st;

    while (dir && next_stat(dir, true, &st)) {
        struct xenfork__disk_identity open = xenfork__disk_identity_of(&st);

        if (S_ISREG(st.st_mode) && (uint64_t)st.st_blocks * 512 == bytes &&
            !xenfork__disk_is_same(&open, what))
            return true;
    }
    return false;
}

static int64_t clock_ms(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

/* Tell whether it is a link, and was made so short a time ago. */
static bool is_young_link(const char *path, int64_t age_ms)
{
    struct stat st;

    return !lstat(path, &st) && S_ISLNK(st.st_mode) &&
           clock_ms(CLOCK_REALTIME) - st.st_ctim.tv_sec * 1000LL -
                   st.st_ctim.tv_nsec / 1000000 <
               age_ms;
}

bool xenfork__sys_has_newer_link(uint32_t pid, const char *path)
{
    int64_t started_ms = (int64_t)xenfork__sys_process_started(pid) * 1000 /
                         sysconf(_SC_CLK_TCK);
    int64_t age_ms = clock_ms(CLOCK_BOOTTIME) - started_ms;
    cleanup_free char *part = strdup(path);
    char *slash = part;

    if (!part)
        return true;
    while ((slash = strchr(slash + 1, '/'))) {
        *slash = '\0';
        if (is_young_link(part, age_ms))
            return true;
        *slash = '/';
    }
    return is_young_link(part, age_ms);
}

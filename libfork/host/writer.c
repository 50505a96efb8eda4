/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who writes to a file that should be nobody's. */
#include "host/dm.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <time.h>

#define TRIES    20U /* a second: a loop device goes when the last one lets go */
#define PAUSE_NS 50000000L

struct search {
    xenfork_ctx *ctx;
    struct xenfork__disk_identity what;
    char *name;
};

static void name_process(const struct search *search, const char *pid)
{
    char path[40], comm[32] = "";
    cleanup_close int fd = -1;

    snprintf(path, sizeof(path), "/proc/%.20s/comm", pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || read(fd, comm, sizeof(comm) - 1) < 0)
        comm[0] = '\0';
    comm[strcspn(comm, "\n")] = '\0';
    snprintf(search->name, XENFORK__WRITER, "%.20s (process %.20s)",
             comm[0] ? comm : "a program", pid);
}

static bool find_process(const struct search *search)
{
    cleanup_dir DIR *dir = opendir("/proc");
    struct dirent *entry;

    while (dir && (entry = readdir(dir))) {
        if (entry->d_name[0] < '0' || entry->d_name[0] > '9' ||
            !xenfork__sys_writes(search->ctx,
                                 (uint32_t)strtoul(entry->d_name, NULL, 10),
                                 &search->what))
            continue;
        name_process(search, entry->d_name);
        return true;
    }
    return false;
}

/* The kernel has it open, and no process. */
static bool is_loop_of(const struct search *search, const char *name)
{
    struct xenfork__disk_identity file;
    char node[64], loop_name[XENFORK__LOOP_NAME];
    struct loop_info64 info;
    cleanup_close int fd = -1;
    struct stat st;

    snprintf(node, sizeof(node), "/dev/%.40s", name);
    fd = open(node, O_RDONLY | O_CLOEXEC);
    return fd >= 0 && !fstat(fd, &st) &&
           xenfork__sys_loop_file(st.st_rdev, true, &file, loop_name) &&
           xenfork__disk_is_same(&file, &search->what) &&
           !ioctl(fd, LOOP_GET_STATUS64, &info) &&
           !(info.lo_flags & LO_FLAGS_READ_ONLY);
}

static bool find_loop(const struct search *search)
{
    cleanup_dir DIR *dir = opendir("/sys/block");
    struct dirent *entry;

    while (dir && (entry = readdir(dir))) {
        char bound[64];

        snprintf(bound, sizeof(bound), "%.40s/loop", entry->d_name);
        if (strncmp(entry->d_name, "loop", 4) ||
            faccessat(dirfd(dir), bound, F_OK, 0) ||
            !is_loop_of(search, entry->d_name))
            continue;
        snprintf(search->name, XENFORK__WRITER, "/dev/%.40s", entry->d_name);
        return true;
    }
    return false;
}

bool xenfork__sys_writer(xenfork_ctx *ctx, const char *path,
                         char name_out[XENFORK__WRITER])
{
    const struct timespec pause = {.tv_nsec = PAUSE_NS};
    struct search search = {.ctx = ctx, .name = name_out};
    struct stat st;
    uint32_t i;

    if (stat(path, &st))
        return false;
    search.what = xenfork__disk_identity_of(&st);
    xenfork__sys_follow(ctx, &search.what);
    for (i = 0; i < TRIES; i++) {
        if (!find_process(&search) && !find_loop(&search))
            return false;
        nanosleep(&pause, NULL);
    }
    return true;
}

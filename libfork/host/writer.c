/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Find the process that writes to a file that nobody should write. */
#include "host/dm.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#define TRIES    20U /* a second: a loop device goes when the last one lets go */
#define PAUSE_NS 50000000L

struct search {
    xenfork_ctx *ctx;
    struct xenfork__areas areas;
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
                                 &search->areas))
            continue;
        name_process(search, entry->d_name);
        return true;
    }
    return false;
}

/* Pass over devices below the disk: they do not write to it by themselves. */
static bool is_stacked_on(const struct search *search,
                          const struct xenfork__disk_identity *device)
{
    size_t i;

    for (i = 0; i < search->areas.count; i++)
        if (xenfork__disk_is_same(&search->areas.at[i].at, device))
            return true;
    return false;
}

/*
 * Tell whether a loop device has the file: then the kernel has it open, and no
 * process.
 */
static bool is_loop_of(const struct search *search, const char *name)
{
    cleanup_areas struct xenfork__areas areas = {0};
    struct xenfork__disk_identity device;
    struct xenfork__loop loop;
    struct stat st;
    char node[64];

    snprintf(node, sizeof(node), "/dev/%.40s", name);
    if (stat(node, &st) || !xenfork__sys_loop_file(st.st_rdev, &loop) ||
        loop.is_readonly)
        return false;
    device = xenfork__disk_identity_of(&st);
    return !is_stacked_on(search, &device) &&
           xenfork__sys_areas(search->ctx, &device, &areas) == 0 &&
           xenfork__areas_meet(&areas, &search->areas);
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
    struct search search = {.ctx = ctx, .name = name_out};
    struct xenfork__disk_identity what;
    struct stat st;
    uint32_t i = 0;

    if (stat(path, &st))
        return false;
    what = xenfork__disk_identity_of(&st);
    if (xenfork__sys_areas(ctx, &what, &search.areas) < 0)
        return false;
    while (i < TRIES && (find_process(&search) || find_loop(&search))) {
        xenfork__sleep_ns(PAUSE_NS);
        i++;
    }
    xenfork__areas_free(&search.areas);
    return i == TRIES;
}

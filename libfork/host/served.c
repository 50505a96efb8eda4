/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which files processes and loop devices have open, however they are named. */
#include "host/dm.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/loop.h>
#include <linux/major.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#define MAX_DEPTH 16U
#define SYS_BYTES 4096 /* a line of sysfs, a page */

/* Linux's new_encode_dev(), by which a loop device tells its file's. */
static uint64_t decode(uint64_t device)
{
    return makedev((device >> 8) & 0xfff,
                   (device & 0xff) | ((device >> 12) & 0xfff00));
}

/* "/dev/loop3" of 7:3: not every host has links for numbers in /dev. */
static bool node_of(uint64_t device, char node_out[64])
{
    char link[64], target[256];
    const char *name;
    ssize_t n;

    snprintf(link, sizeof(link), "/sys/dev/block/%u:%u", major(device),
             minor(device));
    n = readlink(link, target, sizeof(target) - 1);
    if (n < 0)
        return false;
    target[n] = '\0';
    name = strrchr(target, '/');
    snprintf(node_out, 64, "/dev/%.50s", name ? name + 1 : target);
    return true;
}

bool xenfork__sys_loop_file(uint64_t device, bool takes_part,
                            struct xenfork__disk_identity *file_out,
                            char name_out[XENFORK__LOOP_NAME])
{
    struct loop_info64 info;
    char node[64] = "";
    cleanup_close int fd = -1;

    if (major(device) != LOOP_MAJOR || !node_of(device, node))
        return false;
    fd = open(node, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || ioctl(fd, LOOP_GET_STATUS64, &info) < 0 ||
        (!takes_part && (info.lo_offset || info.lo_sizelimit)))
        return false;
    *file_out = (struct xenfork__disk_identity){
        .device = decode(info.lo_device), .inode = info.lo_inode};
    snprintf(name_out, XENFORK__LOOP_NAME, "%.*s", LO_NAME_SIZE,
             (const char *)info.lo_file_name);
    return true;
}

/* A line of sysfs; "": there is none */
static void read_sys(uint64_t device, const char *name, char text[SYS_BYTES])
{
    cleanup_file FILE *f = NULL;
    char path[96];

    snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/%s", major(device),
             minor(device), name);
    f = fopen(path, "re");
    if (!f || !fgets(text, SYS_BYTES, f))
        text[0] = '\0';
    text[strcspn(text, "\n")] = '\0';
}

char *xenfork__sys_loop_path(uint64_t device)
{
    char path[SYS_BYTES];

    read_sys(device, "loop/backing_file", path);
    return path[0] == '/' ? strdup(path) : NULL;
}

static bool is_as_large(uint64_t device, uint64_t other)
{
    char size[SYS_BYTES], other_size[SYS_BYTES];

    read_sys(device, "size", size);
    read_sys(other, "size", other_size);
    return size[0] && !strcmp(size, other_size);
}

/* Is it linear over all of another?  "7:0 0" */
static bool follow_linear(xenfork_ctx *ctx, struct xenfork__disk_identity *what)
{
    cleanup_free char *type = NULL;
    cleanup_free char *params = NULL;
    unsigned int major, minor;
    uint64_t below, start;
    char name[SYS_BYTES];

    read_sys(what->device, "dm/name", name);
    if (!name[0] || xenfork__sys_dm_table(ctx, name, &type, &params) < 0 ||
        strcmp(type, "linear") != 0 ||
        sscanf(params, "%u:%u %" SCNu64, &major, &minor, &start) != 3 || start)
        return false;
    below = makedev(major, minor);
    if (!is_as_large(what->device, below))
        return false;
    what->device = below;
    return true;
}

void xenfork__sys_follow(xenfork_ctx *ctx, struct xenfork__disk_identity *what)
{
    char name[XENFORK__LOOP_NAME];
    uint32_t i;

    for (i = 0; i < MAX_DEPTH && what->is_device; i++)
        if (!xenfork__sys_loop_file(what->device, false, what, name) &&
            !follow_linear(ctx, what))
            return;
}

/* The links of /proc/PID/fd have the modes that the files are open in. */
static bool is_writable(DIR *dir, const char *fd)
{
    struct stat st;

    return !fstatat(dirfd(dir), fd, &st, AT_SYMLINK_NOFOLLOW) &&
           (st.st_mode & S_IWUSR);
}

/* Has it the file open?  For writing: or a device that is all of it */
static bool find_open(xenfork_ctx *ctx, uint32_t pid,
                      const struct xenfork__disk_identity *what,
                      bool is_for_writing)
{
    cleanup_dir DIR *dir = NULL;
    struct dirent *entry;
    char path[32];

    snprintf(path, sizeof(path), "/proc/%u/fd", pid);
    dir = opendir(path);
    while (dir && (entry = readdir(dir))) {
        struct xenfork__disk_identity open;
        struct stat st;

        if (entry->d_name[0] == '.' ||
            (is_for_writing && !is_writable(dir, entry->d_name)) ||
            fstatat(dirfd(dir), entry->d_name, &st, 0))
            continue;
        open = xenfork__disk_identity_of(&st);
        if (is_for_writing)
            xenfork__sys_follow(ctx, &open);
        if (xenfork__disk_is_same(&open, what))
            return true;
    }
    return false;
}

bool xenfork__sys_has_open(uint32_t pid,
                           const struct xenfork__disk_identity *what)
{
    return find_open(NULL, pid, what, false);
}

bool xenfork__sys_writes(xenfork_ctx *ctx, uint32_t pid,
                         const struct xenfork__disk_identity *what)
{
    return find_open(ctx, pid, what, true);
}

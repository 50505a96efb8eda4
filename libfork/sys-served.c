/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which files processes and loop devices have open, however they are named. */
#include "sys-dm.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <linux/major.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

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

bool xenfork__sys_loop_file(uint64_t device,
                            struct xenfork__disk_identity *file_out,
                            char name_out[XENFORK__LOOP_NAME])
{
    struct loop_info64 info;
    char node[64] = "";
    cleanup_close int fd = -1;

    if (major(device) != LOOP_MAJOR || !node_of(device, node))
        return false;
    fd = open(node, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || ioctl(fd, LOOP_GET_STATUS64, &info) < 0)
        return false;
    *file_out = (struct xenfork__disk_identity){
        .device = decode(info.lo_device), .inode = info.lo_inode};
    snprintf(name_out, XENFORK__LOOP_NAME, "%.*s", LO_NAME_SIZE,
             (const char *)info.lo_file_name);
    return true;
}

bool xenfork__sys_has_open(uint32_t pid,
                           const struct xenfork__disk_identity *what)
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
            fstatat(dirfd(dir), entry->d_name, &st, 0))
            continue;
        open = (struct xenfork__disk_identity){
            .is_device = S_ISBLK(st.st_mode),
            .device = S_ISBLK(st.st_mode) ? st.st_rdev : st.st_dev,
            .inode = S_ISBLK(st.st_mode) ? 0 : st.st_ino};
        if (xenfork__disk_is_same(&open, what))
            return true;
    }
    return false;
}

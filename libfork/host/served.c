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

#define SYS_BYTES 4096 /* a line of sysfs, a page */

/*
 * Decode Linux's new_encode_dev(), in which a loop device tells its file's
 * device.
 */
static uint64_t decode(uint64_t device)
{
    return makedev((device >> 8) & 0xfff,
                   (device & 0xff) | ((device >> 12) & 0xfff00));
}

/* Return "/dev/loop3" for 7:3: not every host has links for numbers in /dev. */
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

bool xenfork__sys_loop_file(uint64_t device, struct xenfork__loop *loop_out)
{
    struct loop_info64 info;
    char node[64] = "";
    cleanup_close int fd = -1;

    if (major(device) != LOOP_MAJOR || !node_of(device, node))
        return false;
    fd = open(node, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || ioctl(fd, LOOP_GET_STATUS64, &info) < 0)
        return false;
    *loop_out = (struct xenfork__loop){
        .file = {.device = decode(info.lo_device), .inode = info.lo_inode},
        .offset = info.lo_offset,
        .bytes = info.lo_sizelimit,
        .is_readonly = info.lo_flags & LO_FLAGS_READ_ONLY,
    };
    snprintf(loop_out->name, XENFORK__LOOP_NAME, "%.*s", LO_NAME_SIZE,
             (const char *)info.lo_file_name);
    return true;
}

char *xenfork__sys_loop_path(uint64_t device)
{
    cleanup_file FILE *f = NULL;
    char path[96], text[SYS_BYTES] = "";

    snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/loop/backing_file",
             major(device), minor(device));
    f = fopen(path, "re");
    if (!f || !fgets(text, SYS_BYTES, f) || text[0] != '/')
        return NULL;
    text[strcspn(text, "\n")] = '\0';
    return strdup(text);
}

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

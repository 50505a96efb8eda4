/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Loop devices, as losetup(8) of util-linux makes them. */
#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "host.h"

#define TRIES 16 /* another process may take the free one */

/* Ask a loop device.  1; 0: it is not bound; -1 */
static int ask_loop(const char *name, struct loop *loop_out)
{
    cleanup_close int fd = -1;
    struct loop_info64 info;
    char path[64];

    if (snprintf(path, sizeof(path), "/sys/block/%s/loop", name) >=
        (int)sizeof(path))
        return -1;
    if (access(path, F_OK))
        return errno == ENOENT ? 0 : -1;
    snprintf(path, sizeof(path), "/dev/%s", name);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    memset(&info, 0, sizeof(info));
    if (ioctl(fd, LOOP_GET_STATUS64, &info) < 0)
        return errno == ENXIO ? 0 : -1;
    loop_out->device = info.lo_device;
    loop_out->inode = info.lo_inode;
    loop_out->is_readonly = info.lo_flags & LO_FLAGS_READ_ONLY;
    return 1;
}

bool host_loops(struct loop **loops_out, size_t *count_out)
{
    cleanup_dir DIR *dir = opendir("/sys/block");
    cleanup_free struct loop *loops = NULL;
    size_t count = 0, room = 0;
    struct dirent *entry;
    struct loop *more;
    int r;

    while (dir && (entry = readdir(dir))) {
        if (strncmp(entry->d_name, "loop", 4))
            continue;
        if (count == room) {
            room = room * 2 + 16;
            more = realloc(loops, room * sizeof(*loops));
            if (!more)
                return false;
            loops = more;
        }
        r = ask_loop(entry->d_name, &loops[count]);
        if (r < 0)
            return false;
        count += (size_t)r;
    }
    if (!dir)
        return false;
    *loops_out = steal_ptr(loops);
    *count_out = count;
    return true;
}

/*
 * Bind a loop device.  Nothing is done on failure; errno EBUSY: another process
 * was faster.
 */
static bool bind_loop(const char *node, int file, const char *name,
                      bool is_readonly, dev_t *device_out)
{
    cleanup_close int fd = -1;
    struct loop_config config;
    struct stat stat_buf;

    fd = open(node, (is_readonly ? O_RDONLY : O_RDWR) | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &stat_buf) || !S_ISBLK(stat_buf.st_mode))
        return false;
    memset(&config, 0, sizeof(config));
    config.fd = (uint32_t)file;
    config.info.lo_flags = is_readonly ? LO_FLAGS_READ_ONLY : 0;
    snprintf((char *)config.info.lo_file_name, LO_NAME_SIZE, "%s", name);
    if (ioctl(fd, LOOP_CONFIGURE, &config) < 0)
        return false;
    *device_out = stat_buf.st_rdev;
    return true;
}

bool host_loop_bind(const char *file, bool is_readonly,
                    char node_out[NODE_BYTES], dev_t *device_out)
{
    cleanup_close int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
    cleanup_close int fd = open(file,
                                (is_readonly ? O_RDONLY : O_RDWR) | O_CLOEXEC);
    char node[NODE_BYTES];
    int i, number;

    for (i = 0; i < TRIES && control >= 0 && fd >= 0; i++) {
        number = ioctl(control, LOOP_CTL_GET_FREE);
        if (number < 0)
            return false;
        snprintf(node, sizeof(node), "/dev/loop%d", number);
        if (bind_loop(node, fd, file, is_readonly, device_out)) {
            memcpy(node_out, node, sizeof(node));
            return true;
        }
        if (errno != EBUSY)
            return false;
    }
    return false;
}

void host_loop_unbind(const char *node)
{
    cleanup_close int fd = open(node, O_RDONLY | O_CLOEXEC);

    if (fd >= 0)
        ioctl(fd, LOOP_CLR_FD, 0);
}

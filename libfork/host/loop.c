/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Loop devices that go by themselves. */
#include "host/dm.h"

#include <fcntl.h>
#include <linux/loop.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#define TRIES 16 /* another process may take the free one */

/*
 * Bind a file to a loop device.  Returns an errno, or 0; EBUSY: another process
 * was faster.
 */
static int bind_loop(int number, int file, const char *name, bool is_readonly,
                     int *fd_out)
{
    struct loop_config config = {
        .fd = (uint32_t)file,
        .info.lo_flags = LO_FLAGS_AUTOCLEAR |
                         (is_readonly ? LO_FLAGS_READ_ONLY : 0U)};
    char node[32];
    cleanup_close int fd = -1;

    snprintf(node, sizeof(node), "/dev/loop%d", number);
    snprintf((char *)config.info.lo_file_name, LO_NAME_SIZE, "%s", name);
    fd = open(node, (is_readonly ? O_RDONLY : O_RDWR) | O_CLOEXEC);
    if (fd < 0 || ioctl(fd, LOOP_CONFIGURE, &config) < 0)
        return errno;
    *fd_out = steal_fd(&fd);
    return 0;
}

/* Bind a file to a free loop device.  Returns an errno, or 0. */
static int bind_free(const char *file, bool is_readonly, int *fd_out)
{
    cleanup_close int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
    cleanup_close int fd = open(file,
                                (is_readonly ? O_RDONLY : O_RDWR) | O_CLOEXEC);
    int i, number, e = EBUSY;

    if (control < 0 || fd < 0)
        return errno;
    for (i = 0; i < TRIES && e == EBUSY; i++) {
        number = ioctl(control, LOOP_CTL_GET_FREE);
        e = number < 0 ? errno
                       : bind_loop(number, fd, file, is_readonly, fd_out);
    }
    return e;
}

int xenfork__sys_loop(xenfork_ctx *ctx, const char *file, bool is_readonly,
                      int *fd_out, char device_out[XENFORK__LOOP_BYTES])
{
    struct stat st;
    int fd = -1, e = bind_free(file, is_readonly, &fd);

    if (!e && fstat(fd, &st)) {
        e = errno;
        close(fd);
    }
    if (e)
        return xenfork__fail(ctx, XENFORK_E_DISK, e,
                             "cannot make a loop device of %s", file);
    snprintf(device_out, XENFORK__LOOP_BYTES, "%u:%u", major(st.st_rdev),
             minor(st.st_rdev));
    *fd_out = fd;
    return 0;
}

bool xenfork__sys_loop_node(const char *device,
                            char node_out[XENFORK__LOOP_NODE])
{
    char link[64], target[256];
    const char *name;
    ssize_t n;

    snprintf(link, sizeof(link), "/sys/dev/block/%s", device);
    n = readlink(link, target, sizeof(target) - 1);
    if (n < 0)
        return false;
    target[n] = '\0';
    name = strrchr(target, '/');
    snprintf(node_out, XENFORK__LOOP_NODE, "/dev/%.50s", name ? name + 1 : target);
    return true;
}

int xenfork__sys_loop_grow(xenfork_ctx *ctx, const char *device)
{
    char node[XENFORK__LOOP_NODE] = "";
    cleanup_close int fd = xenfork__sys_loop_node(device, node)
                               ? open(node, O_RDONLY | O_CLOEXEC)
                               : -1;

    if (fd < 0 || ioctl(fd, LOOP_SET_CAPACITY, 0) < 0)
        return xenfork__fail(ctx, XENFORK_E_DISK, errno,
                             "cannot make loop device %s larger", device);
    return 0;
}

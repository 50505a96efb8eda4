/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The device behind a disk, as Xen's script block makes it. */
#include "host/dm.h"
#include "host/host.h"

#include <fcntl.h>
#include <linux/loop.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

static int cannot_serve(xenfork_ctx *ctx, const char *path)
{
    return xenfork__fail(ctx, XENFORK_E_DISK, errno, "cannot serve %s", path);
}

static int serve_device(xenfork_ctx *ctx, const char *path,
                        struct xenfork__device *device_out)
{
    cleanup_free char *real = realpath(path, NULL);
    struct stat st;

    if (!real || stat(real, &st))
        return cannot_serve(ctx, path);
    if (!S_ISBLK(st.st_mode) || strlen(real) >= sizeof(device_out->node)) {
        errno = ENOTBLK;
        return cannot_serve(ctx, path);
    }
    *device_out = (struct xenfork__device){.number = st.st_rdev, .fd = -1};
    strcpy(device_out->node, real);
    return 0;
}

int xenfork__sys_serve(xenfork_ctx *ctx, const char *path, bool is_readonly,
                       struct xenfork__device *device_out)
{
    cleanup_free char *real = NULL;
    cleanup_close int fd = -1;
    char number[XENFORK__LOOP_BYTES];
    struct stat st;
    int rc;

    if (stat(path, &st))
        return cannot_serve(ctx, path);
    if (!S_ISREG(st.st_mode))
        return serve_device(ctx, path, device_out);
    real = realpath(path, NULL);
    if (!real)
        return cannot_serve(ctx, path);
    rc = xenfork__sys_loop(ctx, real, is_readonly, &fd, number);
    if (rc < 0)
        return rc;
    if (fstat(fd, &st) || !xenfork__sys_loop_node(number, device_out->node))
        return cannot_serve(ctx, path);
    device_out->number = st.st_rdev;
    device_out->is_loop = true;
    device_out->fd = steal_fd(&fd);
    return 0;
}

int xenfork__sys_keep_loop(xenfork_ctx *ctx, int fd)
{
    struct loop_info64 info;

    if (ioctl(fd, LOOP_GET_STATUS64, &info) == 0) {
        info.lo_flags &= ~(uint32_t)LO_FLAGS_AUTOCLEAR;
        if (ioctl(fd, LOOP_SET_STATUS64, &info) == 0)
            return 0;
    }
    return xenfork__fail(ctx, XENFORK_E_DISK, errno,
                         "cannot keep a loop device for after this process");
}

/*
 * Remove a loop device, unless another process has it by now: nodes of xenstore
 * name it.
 */
void xenfork__sys_remove_loop(const char *node, const char *file)
{
    cleanup_close int fd = open(node, O_RDONLY | O_CLOEXEC);
    struct xenfork__loop loop;
    struct stat device, st;

    if (fd >= 0 && !fstat(fd, &device) && !stat(file, &st) &&
        xenfork__sys_loop_file(device.st_rdev, &loop) &&
        loop.file.device == st.st_dev && loop.file.inode == st.st_ino)
        ioctl(fd, LOOP_CLR_FD);
}

bool xenfork__sys_has_backend(const char *name)
{
    char path[128];

    snprintf(path, sizeof(path), "/sys/bus/xen-backend/devices/%s", name);
    return !access(path, F_OK);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Ask loop devices for their file, and which part of it they serve. */
#include "host/dm.h"

#include <fcntl.h>
#include <linux/loop.h>
#include <linux/major.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>
#include <unistd.h>

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

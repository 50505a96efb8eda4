/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Find block devices by what they are, whatever their nodes are called. */
#include "host/dm.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/digest.h"
#include "base/ids.h"
#include "host/host.h"

#define BLOCK_DIR "/sys/dev/block"
#define UDEV_DIR  "/run/udev/data"

static bool is_node(const char *path, uint64_t number)
{
    struct stat st;

    return !stat(path, &st) && S_ISBLK(st.st_mode) && st.st_rdev == number;
}

/* Return "/dev/mapper/vg0-web", "/dev/sda1"; NULL: there is no such node. */
static char *find_device_node(const char *dir, uint64_t number)
{
    cleanup_free char *name = xenfork__device_attribute(dir, "dm/name");
    cleanup_free char *real = name ? NULL : realpath(dir, NULL);
    char *node, *p;

    if ((!name && !real) || asprintf(&node, "/dev/%s%s", name ? "mapper/" : "",
                                     name ? name : strrchr(real, '/') + 1) < 0)
        return NULL;
    for (p = node; real && *p; p++)
        if (*p == '!')
            *p = '/'; /* sysfs has no slashes: "cciss!c0d0" */
    if (is_node(node, number))
        return node;
    free(node);
    return NULL;
}

/*
 * Tell whether the device "253:4" of /sys/dev/block is that one; number_out:
 * its number
 */
static bool is_that(const char *name, const char *is, uint64_t *number_out)
{
    cleanup_free char *dir = NULL;
    cleanup_free char *text = NULL;
    unsigned int major, minor;

    if (sscanf(name, "%u:%u", &major, &minor) != 2)
        return false;
    if (asprintf(&dir, BLOCK_DIR "/%s", name) < 0) {
        dir = NULL;
        return false;
    }
    *number_out = makedev(major, minor);
    text = xenfork__device_text(dir, UDEV_DIR);
    return text && !strcmp(text, is);
}

/*
 * Return the number of the device with this identity that is not @not; 0: there
 * is none.
 */
static uint64_t find_device(const char *is, uint64_t not )
{
    cleanup_dir DIR *dir = opendir(BLOCK_DIR);
    uint64_t number = 0, found = 0;
    struct dirent *entry;

    while (dir && !found && (entry = readdir(dir)))
        if (is_that(entry->d_name, is, &number) && number != not )
            found = number;
    return found;
}

static void put_sysfs_dir(uint64_t number, char dir_out[64])
{
    snprintf(dir_out, 64, BLOCK_DIR "/%u:%u", major(number), minor(number));
}

/*
 * Refuse two devices with one identity: two paths to one disk, or two disks
 * that nobody could tell apart later.
 */
static int check_unique(xenfork_ctx *ctx, const char *path, uint64_t number,
                        const char *is)
{
    uint64_t other = find_device(is, number);

    if (!other)
        return 0;
    xenfork__miss(ctx, XENFORK_E_DISK,
                  "%s cannot be told from the block device %u:%u: both are "
                  "\"%s\"",
                  path, major(other), minor(other), is);
    return xenfork__remedy(ctx, "take the other one away, or put the disk on a "
                                "volume of LVM or into a file");
}

/*
 * Refuse a device that Linux only counts: after a boot, or once another is
 * taken away, the same name is another device.
 */
static int check_lasts(xenfork_ctx *ctx, const char *path, const char *is)
{
    if (xenfork__device_text_lasts(is))
        return 0;
    xenfork__miss(ctx, XENFORK_E_DISK,
                  "%s is known by its kernel's name alone (\"%s\"), which may "
                  "be another device's after the next boot",
                  path, is);
    return xenfork__remedy(ctx, "put the disk on a volume of LVM or into a "
                                "file");
}

int xenfork__sys_device_name(xenfork_ctx *ctx, const char *path,
                             uint64_t number, char **node_out, char **is_out)
{
    cleanup_free char *node = NULL;
    cleanup_free char *is = NULL;
    char dir[64];
    int rc;

    put_sysfs_dir(number, dir);
    if (access(dir, F_OK))
        return xenfork__fail(ctx, XENFORK_E_DISK, errno, "cannot examine %s",
                             path);
    is = xenfork__device_text(dir, UDEV_DIR);
    node = find_device_node(dir, number);
    if (!node)
        node = strdup(path);
    if (!is || !node)
        return xenfork__nomem(ctx);
    if ((rc = check_lasts(ctx, path, is)) < 0 ||
        (rc = check_unique(ctx, path, number, is)) < 0)
        return rc;
    *node_out = steal_ptr(node);
    *is_out = steal_ptr(is);
    return 0;
}

int xenfork__sys_device_find(xenfork_ctx *ctx, const char *is, char **node_out)
{
    uint64_t number = find_device(is, 0);
    char *node = NULL;
    char dir[64];

    put_sysfs_dir(number, dir);
    node = number ? find_device_node(dir, number) : NULL;
    if (!node) {
        xenfork__miss(ctx, XENFORK_E_DISK,
                      "the block device \"%s\" is not there", is);
        return xenfork__remedy(ctx, "bring it up: disks are backed by it");
    }
    *node_out = node;
    return 0;
}

static int print_file(const struct statx *st, char is_out[XENFORK__DISK_IS])
{
    const struct statx_timestamp *born = &st->stx_btime;
    const struct statx_timestamp *written = &st->stx_mtime;
    bool has_birth = st->stx_mask & STATX_BTIME;

    return snprintf(
        is_out, XENFORK__DISK_IS,
        "file %" PRIu64 " %lld.%09u %" PRIu64 XENFORK__DISK_WRITTEN "%lld.%09u",
        (uint64_t)st->stx_ino, has_birth ? (long long)born->tv_sec : 0,
        has_birth ? born->tv_nsec : 0, (uint64_t)st->stx_size,
        (long long)written->tv_sec, written->tv_nsec);
}

/* Print a device's identity; a name that does not last is one of this boot. */
static int print_device(xenfork_ctx *ctx, const char *is,
                        char is_out[XENFORK__DISK_IS])
{
    char boot[XENFORK__UUID_CHARS] = "";
    cleanup_free char *text = NULL;
    int rc = xenfork__device_text_lasts(is) ? 0 : xenfork__sys_boot(ctx, boot);

    if (rc < 0)
        return rc;
    if (asprintf(&text, "%s%s", is, boot) < 0) {
        text = NULL;
        return xenfork__nomem(ctx);
    }
    snprintf(is_out, XENFORK__DISK_IS, "device %016" PRIx64,
             xenfork__digest(text, strlen(text)));
    return 0;
}

int xenfork__sys_disk_is(xenfork_ctx *ctx, const char *path,
                         char is_out[XENFORK__DISK_IS])
{
    cleanup_free char *is = NULL;
    struct statx st;
    char dir[64];

    is_out[0] = '\0';
    if (statx(AT_FDCWD, path, 0, STATX_BASIC_STATS | STATX_BTIME, &st))
        return errno == ENOENT || errno == ENOTDIR
                   ? 0
                   : xenfork__fail(ctx, XENFORK_E_DISK, errno,
                                   "cannot examine %s", path);
    if (S_ISREG(st.stx_mode))
        return print_file(&st, is_out) < 0 ? xenfork__nomem(ctx) : 0;
    if (!S_ISBLK(st.stx_mode))
        return 0;
    put_sysfs_dir(makedev(st.stx_rdev_major, st.stx_rdev_minor), dir);
    is = xenfork__device_text(dir, UDEV_DIR);
    if (!is)
        return xenfork__nomem(ctx);
    return print_device(ctx, is, is_out);
}

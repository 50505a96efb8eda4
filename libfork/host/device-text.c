/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Say what a block device is, by sysfs and by udev's database. */
#include "host/dm.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#define MAX_TEXT 4096U
#define BY_NAME  "name " /* what Linux counted it as; it does not last */

char *xenfork__device_attribute(const char *dir, const char *name)
{
    cleanup_free char *path = NULL;
    cleanup_close int fd = -1;
    char text[MAX_TEXT + 1];
    ssize_t n;

    if (asprintf(&path, "%s/%s", dir, name) < 0) {
        path = NULL;
        return NULL;
    }
    fd = open(path, O_RDONLY | O_CLOEXEC);
    n = fd < 0 ? -1 : read(fd, text, MAX_TEXT);
    if (n <= 0)
        return NULL;
    text[n] = '\0';
    text[strcspn(text, "\n")] = '\0';
    return text[0] ? strdup(text) : NULL;
}

/* Return "dm LVM-…" from DIR/dm/uuid; NULL: there is no such file. */
static char *by_file(const char *dir, const char *name, const char *kind)
{
    cleanup_free char *value = xenfork__device_attribute(dir, name);
    char *text;

    return value && asprintf(&text, "%s %s", kind, value) >= 0 ? text : NULL;
}

static bool find_number(const char *dir, unsigned int *major_out,
                        unsigned int *minor_out)
{
    cleanup_free char *number = xenfork__device_attribute(dir, "dev");

    return number && sscanf(number, "%u:%u", major_out, minor_out) == 2;
}

/* Identify a loop device: by its part of a file, and not the file's name alone.
 */
static char *by_backing_file(const char *dir)
{
    cleanup_free char *file = xenfork__device_attribute(dir,
                                                        "loop/backing_file");
    struct xenfork__loop loop;
    unsigned int major, minor;
    char *text;

    if (!file || !find_number(dir, &major, &minor) ||
        !xenfork__sys_loop_file(makedev(major, minor), &loop))
        return NULL;
    return asprintf(&text, "loop %" PRIu64 " %" PRIu64 " %s", loop.offset,
                    loop.file.inode, file) >= 0
               ? text
               : NULL;
}

/* Identify an image of Ceph (Linux' Documentation/ABI/testing/sysfs-bus-rbd).
 */
static char *by_rbd(const char *dir)
{
    cleanup_free char *cluster = xenfork__device_attribute(
        dir, "device/cluster_fsid");
    cleanup_free char *pool = xenfork__device_attribute(dir, "device/pool_id");
    cleanup_free char *image = xenfork__device_attribute(dir,
                                                         "device/image_id");
    cleanup_free char *snap = xenfork__device_attribute(dir,
                                                        "device/current_snap");
    char *text;

    return cluster && pool && image &&
                   asprintf(&text, "rbd %s %s %s %s", cluster, pool, image,
                            snap ? snap : "-") >= 0
               ? text
               : NULL;
}

/* Return the value of KEY in udev's record of a device; NULL: there is none. */
static char *by_udev(const char *dir, const char *udev, const char *key,
                     const char *kind)
{
    cleanup_free char *path = NULL;
    cleanup_file FILE *f = NULL;
    size_t length = strlen(key);
    char line[MAX_TEXT], *text;
    unsigned int major, minor;

    if (!find_number(dir, &major, &minor) ||
        asprintf(&path, "%s/b%u:%u", udev, major, minor) < 0)
        return NULL;
    f = fopen(path, "re");
    while (f && fgets(line, MAX_TEXT, f)) {
        line[strcspn(line, "\n")] = '\0';
        if (!strncmp(line, "E:", 2) && !strncmp(line + 2, key, length) &&
            line[2 + length] == '=' && line[3 + length])
            return asprintf(&text, "%s %s", kind, line + 3 + length) < 0 ? NULL
                                                                         : text;
    }
    return NULL;
}

static char *by_partition(const char *dir, const char *udev)
{
    cleanup_free char *number = xenfork__device_attribute(dir, "partition");
    cleanup_free char *real = number ? realpath(dir, NULL) : NULL;
    cleanup_free char *whole = NULL;
    char *text;

    if (!real)
        return NULL;
    *strrchr(real, '/') = '\0';
    whole = xenfork__device_text(real, udev);
    return whole && asprintf(&text, "partition %s of %s", number, whole) >= 0
               ? text
               : NULL;
}

/* Identify a device that says itself what it is. */
static char *by_itself(const char *dir)
{
    static const char *const files[][2] = {
        {"dm/uuid", "dm"},           {"dm/name", "dm-name"},
        {"md/uuid", "md"},           {"wwid", "wwid"},
        {"device/wwid", "wwid"},     {"serial", "serial"},
        {"device/serial", "serial"},
    };
    char *text = NULL;
    size_t i;

    for (i = 0; !text && i < ARRAY_SIZE(files); i++)
        text = by_file(dir, files[i][0], files[i][1]);
    return text;
}

char *xenfork__device_text(const char *dir, const char *udev)
{
    char *text = by_partition(dir, udev);
    char *real;

    /* Before md/uuid, which not every Linux has, and which it writes otherwise.
     */
    if (!text)
        text = by_udev(dir, udev, "MD_UUID", "raid");
    if (!text)
        text = by_itself(dir);
    if (!text)
        text = by_backing_file(dir);
    if (!text)
        text = by_rbd(dir);
    if (!text)
        text = by_udev(dir, udev, "ID_SERIAL", "id");
    if (text)
        return text;
    real = realpath(dir, NULL);
    if (!real || asprintf(&text, BY_NAME "%s", strrchr(real, '/') + 1) < 0)
        text = NULL;
    free(real);
    return text;
}

bool xenfork__device_text_lasts(const char *text)
{
    static const char whole[] = " of " BY_NAME;

    if (strncmp(text, "partition ", strlen("partition ")) != 0)
        return strncmp(text, BY_NAME, strlen(BY_NAME)) != 0;
    return !strstr(text, whole);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* `block add` and `remove`, for a raw file by a loop device
 * (tools/hotplug/Linux/block). */
#include "config.h"

#include "hotplug.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/cleanup.h"
#include "host.h"

#define INIT_WAIT "2" /* XenbusStateInitWait: the backend is there */

/*
 * Tell whether the script would let this guest have the file.  It lets several
 * guests use it that only read, or one that writes (check_file_sharing).  Plain
 * cases of this: no loop device holds the file, or we only read and so does
 * each that does: through a read-only loop device neither a guest nor a mount
 * can write.
 */
static bool is_unshared(const struct stat *file, bool is_readonly)
{
    cleanup_free struct loop *loops = NULL;
    size_t i, count = 0;

    if (!host_loops(&loops, &count))
        return false;
    for (i = 0; i < count; i++)
        if (loops[i].device == file->st_dev && loops[i].inode == file->st_ino &&
            !(is_readonly && loops[i].is_readonly))
            return false;
    return true;
}

/*
 * Tell whether the mode is r or w, and permitted.  libxl writes these only;
 * "w!" means no check and is the script's.  Any bit of permission to write will
 * do, as for the script.
 */
static bool is_permitted_mode(const char *mode, const struct stat *file)
{
    if (!strcmp(mode, "r"))
        return true;
    return !strcmp(mode, "w") &&
           (file->st_mode & (S_IWUSR | S_IWGRP | S_IWOTH));
}

/*
 * Announce a loop device; node first: from there on the script's `remove` finds
 * it.
 */
static enum outcome announce_loop(const struct device *device, const char *node,
                                  dev_t loop)
{
    char number[32];

    if (!device_write(device, "node", node)) {
        host_loop_unbind(node);
        return OUTCOME_STOCK;
    }
    snprintf(number, sizeof(number), "%x:%x", major(loop), minor(loop));
    if (!device_write(device, "physical-device", number) ||
        !device_write(device, "physical-device-path", node) ||
        !device_write(device, "hotplug-status", "connected"))
        return device_fail(device,
                           "Writing the loop device to xenstore failed.");
    return OUTCOME_DONE;
}

static enum outcome add_locked(const struct device *device, const char *path,
                               const char *mode)
{
    cleanup_free char *state = device_read(device, "state");
    cleanup_free char *file = realpath(path, NULL);
    bool is_readonly = !strcmp(mode, "r");
    char node[NODE_BYTES];
    struct stat stat_buf;
    dev_t loop;

    /* Closed or removed meanwhile? */
    if (!state || strcmp(state, INIT_WAIT))
        return OUTCOME_STOCK;
    if (!file || stat(file, &stat_buf) || !S_ISREG(stat_buf.st_mode) ||
        !is_permitted_mode(mode, &stat_buf) ||
        !is_unshared(&stat_buf, is_readonly) ||
        !host_loop_bind(file, is_readonly, node, &loop))
        return OUTCOME_STOCK;
    return announce_loop(device, node, loop);
}

enum outcome block_add(const struct device *device)
{
    cleanup_free char *done = device_read(device, "physical-device");
    cleanup_free char *path = NULL;
    cleanup_free char *mode = NULL;
    enum outcome outcome;
    struct stat file;
    int lock;

    if (done)
        return OUTCOME_DONE;
    path = device_read(device, "params");
    mode = device_read(device, "mode");
    if (!path || !mode)
        return OUTCOME_STOCK;
    /*
     * A disk that is only read may be shared with others: the script checks
     * that.
     */
    if (stat(path, &file) || !S_ISREG(file.st_mode))
        return strcmp(mode, "w") ? OUTCOME_STOCK
                                 : block_device_add(device, path);
    lock = host_lock("block");
    if (lock < 0)
        return OUTCOME_STOCK;
    outcome = add_locked(device, path, mode);
    host_unlock("block", lock);
    return outcome;
}

enum outcome block_remove(const struct device *device)
{
    cleanup_free char *path = device_read(device, "params");
    cleanup_free char *node = device_read(device, "node");
    struct stat file;
    dev_t number;
    int lock;

    if (path && host_device(path, &number))
        return OUTCOME_DONE; /* the script, too, does nothing */
    if (!path || stat(path, &file) || !S_ISREG(file.st_mode) || !node ||
        strncmp(node, "/dev/loop", strlen("/dev/loop")) != 0)
        return OUTCOME_STOCK;
    lock = host_lock("block");
    if (lock < 0)
        return OUTCOME_STOCK;
    host_loop_unbind(node);
    host_unlock("block", lock);
    return OUTCOME_DONE;
}

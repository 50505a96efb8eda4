/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * xenfork-hotplug does for a device what Xen's scripts `block` and
 * `vif-bridge`, and our own `block-fork`, do, without starting a shell.  libxl
 * runs it in their place when devices of clones are added and, when we destroy
 * the clones, removed.  Everything but the plain case is left to the script.
 */
#ifndef HOTPLUG_HOTPLUG_H
#define HOTPLUG_HOTPLUG_H

#include <stdbool.h>
#include <stdint.h>

enum outcome {
    OUTCOME_DONE,
    OUTCOME_STOCK, /* the script decides; nothing is done that it would mind */
    OUTCOME_FAILED /* reported in xenstore, as the script would */
};

struct device {
    const char *path;   /* its backend, relative to our domain: XENBUS_PATH */
    const char *script; /* "block", "block-fork" or "vif-bridge" */
    const char *vif;    /* the interface's name; NULL: a disk */
    uint32_t domid, devid;
    bool is_held; /* a link that must not come up */
};

/*
 * Read a device from libxl's environment (get_hotplug_env(), libxl_linux.c,
 * 4.17 and 4.20).  False: not a device of ours.
 */
bool device_parse(struct device *device, const char *type, const char *path,
                  const char *vif);

/* add and remove of block and block-fork; vif-bridge online and offline,
 * type_if=vif */
enum outcome block_add(const struct device *device);
enum outcome block_remove(const struct device *device);
enum outcome block_device_add(const struct device *device, const char *path);
enum outcome block_fork_add(const struct device *device);
enum outcome block_fork_remove(const struct device *device);
enum outcome vif_online(const struct device *device);
enum outcome vif_offline(const struct device *device);

/* Read a node below the device's backend. */
char *device_read(const struct device *device, const char *key);
bool device_write(const struct device *device, const char *key,
                  const char *value);
enum outcome device_fail(const struct device *device, const char *text);

#endif

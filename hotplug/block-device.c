/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* `block add` for a block device that nobody else has
 * (tools/hotplug/Linux/block, check_sharing()). */
#include "config.h"

#include "hotplug.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "base/cleanup.h"
#include "host.h"

#define BACKENDS     "backend/vbd"
#define NUMBER_BYTES 32

/* Tell whether it has the device; true also in doubt. */
static bool has_device(const char *domid, const char *devid, const char *number)
{
    cleanup_free char *path = NULL;
    cleanup_free char *has = NULL;

    if (asprintf(&path, BACKENDS "/%s/%s/physical-device", domid, devid) < 0) {
        path = NULL;
        return true;
    }
    has = store_read(path);
    return has && !strcmp(has, number);
}

static bool domain_has(const char *domid, const char *number)
{
    cleanup_free char *path = NULL;
    cleanup_free char **devids = NULL;
    unsigned int i, count = 0;

    if (asprintf(&path, BACKENDS "/%s", domid) < 0) {
        path = NULL;
        return true;
    }
    devids = store_list(path, &count);
    for (i = 0; devids && i < count; i++)
        if (has_device(domid, devids[i], number))
            return true;
    return false;
}

static bool is_shared(const char *number)
{
    unsigned int i, count = 0;
    cleanup_free char **domids = store_list(BACKENDS, &count);

    for (i = 0; domids && i < count; i++)
        if (domain_has(domids[i], number))
            return true;
    return !domids;
}

static enum outcome announce_device(const struct device *device,
                                    const char *node, const char *number)
{
    if (!device_write(device, "physical-device", number))
        return OUTCOME_STOCK;
    if (device_write(device, "physical-device-path", node) &&
        device_write(device, "hotplug-status", "connected"))
        return OUTCOME_DONE;
    return device_fail(device, "Writing the device to xenstore failed.");
}

enum outcome block_device_add(const struct device *device, const char *path)
{
    cleanup_free char *node = NULL;
    char number[NUMBER_BYTES];
    enum outcome outcome = OUTCOME_STOCK;
    dev_t dev;
    int lock;

    if (!host_device(path, &dev) || !(node = host_real(path)))
        return OUTCOME_STOCK;
    snprintf(number, sizeof(number), "%x:%x", major(dev), minor(dev));
    lock = host_lock("block");
    if (lock < 0)
        return OUTCOME_STOCK;
    if (!host_is_used(node) && !is_shared(number))
        outcome = announce_device(device, node, number);
    host_unlock("block", lock);
    return outcome;
}

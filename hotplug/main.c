/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Called by libxl as a hotplug script.  First of all it writes the name of
 * Xen's own script where libxl found ours: from then on the script does
 * everything for the device.
 */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "host.h"
#include "hotplug.h"

/* Suffixes of the names by which libxl calls us. */
#define HOLD_SUFFIX "-hold" /* a link that must not come up */
#define FORK_SUFFIX "-fork" /* in place of block-fork */

/*
 * Restore the script's name.  libxl has it twice: for itself and for the
 * backend.  Nodes that went meanwhile must not be made anew.
 */
static bool restore_script(const struct device *device, const char *script)
{
    cleanup_free char *own = NULL;
    cleanup_free char *backend = NULL;

    if (asprintf(&own, "/libxl/%" PRIu32 "/device/%s/%" PRIu32 "/script",
                 device->domid, device->vif ? "vif" : "vbd",
                 device->devid) < 0) {
        own = NULL;
        return false;
    }
    if (asprintf(&backend, "%s/script", device->path) < 0) {
        backend = NULL;
        return false;
    }
    return store_update(own, backend, script);
}

static bool ends_in(const char *text, const char *end)
{
    size_t length = strlen(text), end_length = strlen(end);

    return length >= end_length && !strcmp(text + length - end_length, end);
}

static enum outcome handle_device(const struct device *device, int argc,
                                  char **argv)
{
    bool is_fork = !strcmp(device->script, "block-fork");

    if (argc == 2 && !device->vif && !strcmp(argv[1], "add"))
        return is_fork ? block_fork_add(device) : block_add(device);
    if (argc == 2 && !device->vif && !strcmp(argv[1], "remove"))
        return is_fork ? block_fork_remove(device) : block_remove(device);
    if (argc == 3 && device->vif && !strcmp(argv[2], "type_if=vif")) {
        if (!strcmp(argv[1], "online"))
            return vif_online(device);
        if (!strcmp(argv[1], "offline"))
            return vif_offline(device);
    }
    return OUTCOME_STOCK;
}

/* Run the script as libxl would have called it. */
static int run_stock(const char *script, char **argv)
{
    cleanup_free char *name = strdup(script);

    if (!name)
        return 1;
    setenv("script", script, 1);
    argv[0] = name;
    execv(script, argv);
    syslog(LOG_ERR, "cannot run %s: %m", script);
    return 1;
}

int main(int argc, char **argv)
{
    cleanup_free char *script = NULL;
    struct device device;

    openlog("xenfork-hotplug", LOG_PID, LOG_DAEMON);
    if (!device_parse(&device, getenv("XENBUS_TYPE"), getenv("XENBUS_PATH"),
                      getenv("vif"))) {
        fprintf(stderr, "xenfork-hotplug: run by libxl only\n");
        return 2;
    }
    device.is_held = ends_in(argv[0], HOLD_SUFFIX);
    if (!device.vif && ends_in(argv[0], FORK_SUFFIX))
        device.script = "block-fork";
    if (asprintf(&script, "%s/%s", host_scripts(), device.script) < 0) {
        script = NULL;
        return 1;
    }
    if (!restore_script(&device, script)) {
        device_fail(&device, "Writing script to xenstore failed.");
        return 1;
    }
    switch (handle_device(&device, argc, argv)) {
    case OUTCOME_DONE:
        return 0;
    case OUTCOME_STOCK:
        return run_stock(script, argv);
    default:
        return 1;
    }
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* `block-fork add` and `remove`: as the script beside this file. */
#include "config.h"

#include "hotplug.h"

#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "cleanup.h"
#include "host.h"

/* An add that fails leaves nothing, and libxl's remove finds nothing then. */
static enum outcome announce(const struct device *device, const char *target,
                             const char *node, dev_t number)
{
    char text[32];

    snprintf(text, sizeof(text), "%x:%x", major(number), minor(number));
    /* A disk must be able to do the same before and after a cut. */
    if (device_write(device, "discard-enable", "0") &&
        device_write(device, "physical-device", text) &&
        device_write(device, "physical-device-path", node) &&
        device_write(device, "hotplug-status", "connected"))
        return OUTCOME_DONE;
    host_block("detach", target, NULL, (char[TEXT_BYTES]){0});
    return device_fail(device, "Writing the device to xenstore failed.");
}

/* libxl writes r or w only; "w!" is the script's. */
static bool is_plain(const char *mode)
{
    return !strcmp(mode, "r") || !strcmp(mode, "w");
}

enum outcome block_fork_add(const struct device *device)
{
    cleanup_free char *done = device_read(device, "physical-device");
    cleanup_free char *target = NULL;
    cleanup_free char *mode = NULL;
    char text[TEXT_BYTES];
    dev_t number;

    if (done)
        return OUTCOME_DONE;
    target = device_read(device, "params");
    mode = device_read(device, "mode");
    if (!target || !*target || !mode || !is_plain(mode))
        return OUTCOME_STOCK;
    if (!host_block("attach", target, mode, text))
        return device_fail(device, text);
    if (host_device(text, &number))
        return announce(device, target, text, number);
    host_block("detach", target, NULL, text);
    return device_fail(device, "Examining the device failed.");
}

enum outcome block_fork_remove(const struct device *device)
{
    cleanup_free char *done = device_read(device, "physical-device");
    cleanup_free char *target = device_read(device, "params");
    char text[TEXT_BYTES];

    if (!done)
        return OUTCOME_DONE;
    if (!target)
        return OUTCOME_STOCK;
    return host_block("detach", target, NULL, text) ? OUTCOME_DONE
                                                    : device_fail(device, text);
}

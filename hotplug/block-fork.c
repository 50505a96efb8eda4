/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Do `block-fork add` and `remove`, as the script in this folder does. */
#include "config.h"

#include "hotplug.h"

#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "base/cleanup.h"
#include "host.h"

#define TARGET "xenfork-target" /* by which name it is detached */
#define VHD    "vhd:"

static bool detach_node(const char *target, const char *node,
                        char text[TEXT_BYTES])
{
    return host_block("detach", target, node, text);
}

/*
 * Announce the device; an add that fails leaves nothing, and libxl's remove
 * then finds nothing.
 */
static enum outcome announce_overlay(const struct device *device,
                                     const char *target, const char *node,
                                     dev_t number)
{
    char text[32];

    snprintf(text, sizeof(text), "%x:%x", major(number), minor(number));
    /* A disk must be able to do the same before and after a snapshot. */
    if (device_write(device, TARGET, target) &&
        device_write(device, "discard-enable", "0") &&
        device_write(device, "physical-device", text) &&
        device_write(device, "physical-device-path", node) &&
        device_write(device, "hotplug-status", "connected"))
        return OUTCOME_DONE;
    detach_node(target, node, (char[TEXT_BYTES]){0});
    return device_fail(device, "Writing the device to xenstore failed.");
}

/*
 * Tell whether it is a plain mode: libxl writes r or w only; "w!" is for the
 * script.
 */
static bool is_plain_mode(const char *mode)
{
    return !strcmp(mode, "r") || !strcmp(mode, "w");
}

/*
 * Return the path that the target's links lead to now; NULL: out of memory.
 * The caller frees
 */
static char *without_links(const char *target)
{
    size_t prefix = strncmp(target, VHD, strlen(VHD)) ? 0 : strlen(VHD);
    cleanup_free char *real = target[prefix] == '/'
                                  ? host_real(target + prefix)
                                  : NULL;
    char *name;

    return asprintf(&name, "%.*s%s", (int)prefix, target,
                    real ? real : target + prefix) < 0
               ? NULL
               : name;
}

enum outcome block_fork_add(const struct device *device)
{
    cleanup_free char *done = device_read(device, "physical-device");
    cleanup_free char *target = NULL;
    cleanup_free char *name = NULL;
    cleanup_free char *mode = NULL;
    char text[TEXT_BYTES];
    dev_t number;

    if (done)
        return OUTCOME_DONE;
    target = device_read(device, "params");
    mode = device_read(device, "mode");
    if (!target || !*target || !mode || !is_plain_mode(mode))
        return OUTCOME_STOCK;
    name = without_links(target);
    if (!name)
        return OUTCOME_STOCK;
    if (!host_block("attach", name, mode, text))
        return device_fail(device, text);
    if (host_device(text, &number))
        return announce_overlay(device, name, text, number);
    detach_node(name, text, (char[TEXT_BYTES]){0});
    return device_fail(device, "Examining the device failed.");
}

enum outcome block_fork_remove(const struct device *device)
{
    cleanup_free char *done = device_read(device, "physical-device");
    cleanup_free char *target = device_read(device, TARGET);
    cleanup_free char *node = device_read(device, "physical-device-path");
    char text[TEXT_BYTES];

    if (!target)
        target = device_read(device, "params");
    if (!done)
        return OUTCOME_DONE;
    if (!target)
        return OUTCOME_STOCK;
    return detach_node(target, node, text) ? OUTCOME_DONE
                                           : device_fail(device, text);
}

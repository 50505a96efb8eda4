/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* `vif-bridge online` and `offline` (tools/hotplug/Linux/vif-bridge and
 * *-common.sh). */
#include "config.h"

#include "hotplug.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "base/cleanup.h"
#include "host.h"

#define MAX_MTU 65535

/* The largest that no bridge takes for its own (xen-network-common.sh). */
static const uint8_t port_mac[6] = {0xfe, 0xff, 0xff, 0xff, 0xff, 0xff};

/* Choose the device's MTU, or the bridge's; -1: none that we understand. */
static int choose_mtu(const struct device *device, const char *bridge)
{
    cleanup_free char *text = device_read(device, "mtu");
    long mtu;
    char *end;

    if (!text)
        return host_mtu(bridge);
    if (*text < '1' || *text > '9')
        return -1;
    mtu = strtol(text, &end, 10);
    return *end || mtu > MAX_MTU ? -1 : (int)mtu;
}

/* Set the MTU; like the script, go on when the interface refuses it. */
static bool set_mtu(const struct device *device, const char *bridge)
{
    cleanup_free char *path = NULL;
    int mtu = choose_mtu(device, bridge);
    char text[16];

    if (mtu <= 0)
        return false;
    host_set_mtu(device->vif, mtu);
    snprintf(text, sizeof(text), "%d", mtu);
    if (asprintf(&path, "/local/domain/%" PRIu32 "/device/vif/%" PRIu32 "/mtu",
                 device->domid, device->devid) < 0) {
        path = NULL;
        return false;
    }
    return store_write(path, text);
}

/*
 * Make it a port of the bridge.  The script may begin again after any of these
 * steps.  A held link is made ready but for its last one: it has never been up.
 */
static bool join_bridge(const struct device *device, const char *bridge)
{
    if (!host_set_up(device->vif, false))
        return false;
    host_set_mac(device->vif, port_mac);
    return set_mtu(device, bridge) &&
           (host_is_port(bridge, device->vif) ||
            host_join(bridge, device->vif)) &&
           (device->is_held || host_set_up(device->vif, true));
}

enum outcome vif_online(const struct device *device)
{
    cleanup_free char *name = device_read(device, "vifname");
    cleanup_free char *bridge = NULL;

    if (name && *name)
        return OUTCOME_STOCK; /* it is to be renamed */
    bridge = device_read(device, "bridge");
    if (!bridge || !host_is_bridge(bridge) || host_has_address(device->vif) ||
        !join_bridge(device, bridge))
        return OUTCOME_STOCK;
    syslog(LOG_DEBUG, "Successful vif-bridge online for %s, bridge %s.",
           device->vif, bridge);
    if (!device_write(device, "hotplug-status", "connected"))
        return device_fail(device,
                           "Writing hotplug-status to xenstore failed.");
    return OUTCOME_DONE;
}

/* Go on when the interface has gone, as the script does. */
enum outcome vif_offline(const struct device *device)
{
    cleanup_free char *name = device_read(device, "vifname");
    cleanup_free char *bridge = device_read(device, "bridge");

    if ((name && *name) || !bridge || !host_is_bridge(bridge))
        return OUTCOME_STOCK;
    host_set_up(device->vif, false);
    if (host_is_port(bridge, device->vif))
        host_leave(bridge, device->vif);
    syslog(LOG_DEBUG, "Successful vif-bridge offline for %s, bridge %s.",
           device->vif, bridge);
    return OUTCOME_DONE;
}

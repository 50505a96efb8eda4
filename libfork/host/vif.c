/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The host side of a new NIC, as Xen's script vif-bridge sets it up. */
#include "base/internal.h"
#include "host/host.h"
#include "host/netlink.h"

#include <net/if.h>
#include <stdlib.h>

#define SYSFS_BYTES 96U
#define COME_S      10U /* as long as libxl waits, LIBXL_INIT_TIMEOUT */
#define POLL_NS     500000L

/* The largest that no bridge takes for its own (xen-network-common.sh). */
static const uint8_t port_mac[6] = {0xfe, 0xff, 0xff, 0xff, 0xff, 0xff};

static uint32_t read_mtu(const char *ifname)
{
    char path[SYSFS_BYTES], text[16] = "";
    cleanup_file FILE *file = NULL;

    snprintf(path, sizeof(path), "/sys/class/net/%s/mtu", ifname);
    file = fopen(path, "re");
    return file && fgets(text, sizeof(text), file)
               ? (uint32_t)strtoul(text, NULL, 10)
               : 0;
}

/* Wait until netback has made the interface; 0: it has not. */
static unsigned int wait_for_interface(const char *ifname)
{
    uint64_t due_ns = xenfork__now_ns() + COME_S * UINT64_C(1000000000);
    unsigned int index = if_nametoindex(ifname);

    while (!index && xenfork__now_ns() < due_ns) {
        xenfork__sleep_ns(POLL_NS);
        index = if_nametoindex(ifname);
    }
    return index;
}

/*
 * Set all by one request, in this order (do_setlink(), Linux 6.12); @mtu 0: it
 * is left as it is.
 */
static int set_link(unsigned int index, unsigned int master, uint32_t mtu,
                    bool is_up)
{
    struct xenfork__netlink request;

    xenfork__netlink_link(&request, RTM_SETLINK, (int)index);
    request.body.info.ifi_change = IFF_UP;
    request.body.info.ifi_flags = is_up ? IFF_UP : 0;
    xenfork__netlink_put(&request, IFLA_ADDRESS, port_mac, sizeof(port_mac));
    if (mtu)
        xenfork__netlink_put(&request, IFLA_MTU, &mtu, sizeof(mtu));
    xenfork__netlink_put(&request, IFLA_MASTER, &master, sizeof(master));
    return xenfork__netlink_ask(&request, NULL, NULL);
}

bool xenfork__sys_has_bridge(const char *bridge)
{
    char path[SYSFS_BYTES];

    snprintf(path, sizeof(path), "/sys/class/net/%s/bridge", bridge);
    return access(path, F_OK) == 0;
}

int xenfork__sys_join(xenfork_ctx *ctx, const char *ifname, const char *bridge,
                      bool is_held, uint32_t *mtu)
{
    unsigned int master = if_nametoindex(bridge), index;

    LOG_DEBUG(ctx, "waiting for %s, and making it a port of %s", ifname,
              bridge);
    if (!*mtu)
        *mtu = read_mtu(bridge);
    if (!master || !*mtu)
        return xenfork__fail(ctx, XENFORK_E_DEVICE, errno, "bridge %s has gone",
                             bridge);
    index = wait_for_interface(ifname);
    if (!index) {
        xenfork__fail(ctx, XENFORK_E_DEVICE, 0,
                      "network interface %s has not come within %u seconds",
                      ifname, COME_S);
        return xenfork__remedy(ctx, "is xen-netback loaded? dmesg may tell");
    }
    /* Like the script, go on when the interface refuses the MTU. */
    if (set_link(index, master, *mtu, !is_held) < 0 &&
        set_link(index, master, 0, !is_held) < 0)
        return xenfork__fail(ctx, XENFORK_E_IO, errno,
                             "cannot make network interface %s a port of %s",
                             ifname, bridge);
    return 0;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Network interfaces and bridges of this host. */
#include "base/internal.h"
#include "host/host.h"
#include "host/netlink.h"

#include <net/if.h>
#include <string.h>

#define SYSFS_BYTES 96U

/* Move it in one step of the kernel: off the old bridge, onto the new one. */
static int set_master(const char *ifname, const char *bridge)
{
    unsigned int master = if_nametoindex(bridge);
    unsigned int ifindex = if_nametoindex(ifname);
    struct xenfork__netlink request;

    if (!master || !ifindex)
        return -1;
    xenfork__netlink_link(&request, RTM_SETLINK, (int)ifindex);
    xenfork__netlink_put(&request, IFLA_MASTER, &master, sizeof(master));
    return xenfork__netlink_ask(&request, NULL, NULL);
}

int xenfork__sys_move(xenfork_ctx *ctx, const char *ifname, const char *from,
                      const char *to)
{
    char emulated[IF_NAMESIZE];
    bool has_emulated = xenfork__sys_emulated(ifname, emulated);
    int e;

    LOG_DEBUG(ctx, "moving %s to %s", ifname, to);
    if ((!has_emulated || set_master(emulated, to) == 0) &&
        set_master(ifname, to) == 0)
        return 0;
    e = errno;
    if (has_emulated)
        set_master(emulated, from);
    return xenfork__fail(ctx, XENFORK_E_IO, e,
                         "cannot move network interface %s to %s", ifname, to);
}

int xenfork__sys_is_bridge(xenfork_ctx *ctx, const char *bridge)
{
    char path[SYSFS_BYTES];

    snprintf(path, sizeof(path), "/sys/class/net/%s/bridge", bridge);
    if (access(path, F_OK) == 0)
        return 0;
    xenfork__fail(ctx, XENFORK_E_NOTFOUND, 0, "there is no bridge %s", bridge);
    return xenfork__remedy(ctx, "ip link show type bridge lists them");
}

/* Tell whether vif-bridge, or a host's own in its place, finds this bridge. */
static bool finds_bridge(const char *bridge)
{
    char old[IF_NAMESIZE];

    /* It takes the first one that there is. */
    if (!*bridge || if_nametoindex(bridge))
        return true;
    /* It takes xenbr0 for eth0, if that is a bridge. */
    if (strncmp(bridge, "xenbr", 5))
        return false;
    snprintf(old, sizeof(old), "eth%s", bridge + 5);
    return xenfork__sys_has_bridge(old);
}

int xenfork__sys_can_join(xenfork_ctx *ctx, const char *script,
                          const char *bridge)
{
    const char *dir = XEN_SCRIPT_DIR "/";
    cleanup_free char *path = NULL;

    if (!script)
        script = "vif-bridge";
    if (!bridge)
        bridge = "xenbr0";
    if (asprintf(&path, "%s%s", *script == '/' ? "" : dir, script) < 0) {
        path = NULL;
        return xenfork__nomem(ctx);
    }
    if (access(path, X_OK) != 0) {
        xenfork__miss(ctx, XENFORK_E_DEVICE,
                      "the script %s of a NIC cannot be run: %s", path,
                      strerror(errno));
        return xenfork__remedy(ctx, "put it back");
    }
    if (strcmp(path, XEN_SCRIPT_DIR "/vif-bridge") != 0 || finds_bridge(bridge))
        return 0;
    xenfork__miss(ctx, XENFORK_E_DEVICE, "there is no bridge %s", bridge);
    return xenfork__remedy(ctx, "make it, or take another one: ip link show "
                                "type bridge lists them");
}

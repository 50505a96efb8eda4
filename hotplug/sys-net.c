/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Network interfaces and bridges, by ioctl. */
#include "config.h"

#include <ifaddrs.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "host.h"

/* Set a name that can be part of a path of sysfs. */
static bool set_name(struct ifreq *ifr, const char *name)
{
    size_t length = strlen(name);

    memset(ifr, 0, sizeof(*ifr));
    if (!length || length >= sizeof(ifr->ifr_name) || strchr(name, '/') ||
        name[0] == '.')
        return false;
    memcpy(ifr->ifr_name, name, length);
    return true;
}

static bool ask_kernel(unsigned long request, struct ifreq *ifr)
{
    cleanup_close int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    return fd >= 0 && ioctl(fd, request, ifr) == 0;
}

static bool is_in_sysfs(const char *name, const char *what, const char *which)
{
    struct ifreq ifr;
    char path[128];

    if (!set_name(&ifr, name) || (*which && !set_name(&ifr, which)))
        return false;
    snprintf(path, sizeof(path), "/sys/class/net/%s/%s/%s", name, what, which);
    return access(path, F_OK) == 0;
}

bool host_is_bridge(const char *name)
{
    return is_in_sysfs(name, "bridge", "");
}

bool host_is_port(const char *bridge, const char *name)
{
    return is_in_sysfs(bridge, "brif", name);
}

bool host_has_address(const char *name)
{
    struct ifaddrs *list, *i;
    bool has_any = false;

    if (getifaddrs(&list))
        return true;
    for (i = list; i; i = i->ifa_next)
        if (!strcmp(i->ifa_name, name) && i->ifa_addr &&
            (i->ifa_addr->sa_family == AF_INET ||
             i->ifa_addr->sa_family == AF_INET6))
            has_any = true;
    freeifaddrs(list);
    return has_any;
}

int host_mtu(const char *name)
{
    struct ifreq ifr;

    return set_name(&ifr, name) && ask_kernel(SIOCGIFMTU, &ifr) ? ifr.ifr_mtu
                                                                : -1;
}

bool host_set_mtu(const char *name, int mtu)
{
    struct ifreq ifr;

    if (!set_name(&ifr, name))
        return false;
    ifr.ifr_mtu = mtu;
    return ask_kernel(SIOCSIFMTU, &ifr);
}

bool host_set_mac(const char *name, const uint8_t mac[6])
{
    struct ifreq ifr;

    if (!set_name(&ifr, name))
        return false;
    ifr.ifr_hwaddr.sa_family = ARPHRD_ETHER;
    memcpy(ifr.ifr_hwaddr.sa_data, mac, 6);
    return ask_kernel(SIOCSIFHWADDR, &ifr);
}

bool host_set_up(const char *name, bool is_up)
{
    struct ifreq ifr;

    if (!set_name(&ifr, name) || !ask_kernel(SIOCGIFFLAGS, &ifr))
        return false;
    if (is_up)
        ifr.ifr_flags |= IFF_UP;
    else
        ifr.ifr_flags &= ~IFF_UP;
    return ask_kernel(SIOCSIFFLAGS, &ifr);
}

static bool change_port(unsigned long how, const char *bridge, const char *name)
{
    unsigned int index = if_nametoindex(name);
    struct ifreq ifr;

    if (!index || !set_name(&ifr, bridge))
        return false;
    ifr.ifr_ifindex = (int)index;
    return ask_kernel(how, &ifr);
}

bool host_join(const char *bridge, const char *name)
{
    return change_port(SIOCBRADDIF, bridge, name);
}

bool host_leave(const char *bridge, const char *name)
{
    return change_port(SIOCBRDELIF, bridge, name);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Link state of the host's network interfaces. */
#include "internal.h"

#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

static int set_link(const char *ifname, bool is_up)
{
    cleanup_close int fd = -1;
    struct ifreq ifr;

    memset(&ifr, 0, sizeof(ifr));
    if (strlen(ifname) >= sizeof(ifr.ifr_name)) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(ifr.ifr_name, ifname, strlen(ifname));
    fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || ioctl(fd, SIOCGIFFLAGS, &ifr) < 0)
        return -1;
    if (is_up)
        ifr.ifr_flags |= IFF_UP;
    else
        ifr.ifr_flags &= ~IFF_UP;
    return ioctl(fd, SIOCSIFFLAGS, &ifr);
}

int xenfork__sys_link(xenfork_ctx *ctx, const char *ifname, bool is_up)
{
    LOG_DEBUG(ctx, "setting %s %s", ifname, is_up ? "up" : "down");
    if (set_link(ifname, is_up) < 0)
        return xenfork__fail(ctx, XENFORK_E_XEN, errno,
                             "cannot set network interface %s %s", ifname,
                             is_up ? "up" : "down");
    return 0;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The host side of the guests' NICs: held, connected, moved.
 *
 * A held NIC is not just set down: Linux' netback then leaves what the guest
 * says in the ring (the address announcements of a clone that has just
 * resumed, first of all) and says it when the interface comes up.  It is
 * up, and a port of a bridge of ours that is itself down: such a port drops
 * all that comes in (br_handle_frame, BR_STATE_DISABLED), and nothing goes
 * out.
 */
#include "internal.h"

#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#define HELD_BRIDGE   "xenfork-held"
#define NETLINK_S     5 /* the kernel answers at once */
#define SYSFS_BYTES   96U
#define MESSAGE_BYTES 256U

struct request {
    struct nlmsghdr header;
    struct ifinfomsg info;
    char attributes[MESSAGE_BYTES];
};

struct answer {
    struct nlmsghdr header;
    struct nlmsgerr error;
    char rest[1024];
};

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

static struct rtattr *attribute(struct request *request, unsigned short type,
                                const void *data, size_t bytes)
{
    struct rtattr *attr = (struct rtattr *)((char *)request +
                                            NLMSG_ALIGN(
                                                request->header.nlmsg_len));

    attr->rta_type = type;
    attr->rta_len = (unsigned short)RTA_LENGTH(bytes);
    if (bytes)
        memcpy(RTA_DATA(attr), data, bytes);
    request->header.nlmsg_len = NLMSG_ALIGN(request->header.nlmsg_len) +
                                RTA_ALIGN(attr->rta_len);
    return attr;
}

/* Ask the kernel; 0, or -1 with errno. */
static int ask(struct request *request)
{
    struct timeval timeout = {.tv_sec = NETLINK_S};
    cleanup_close int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC,
                                  NETLINK_ROUTE);
    struct answer answer;
    ssize_t n;

    request->header.nlmsg_flags |= NLM_F_REQUEST | NLM_F_ACK;
    if (fd < 0 ||
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)) ||
        send(fd, request, request->header.nlmsg_len, 0) < 0)
        return -1;
    do {
        n = recv(fd, &answer, sizeof(answer), 0);
    } while (n < 0 && errno == EINTR);
    if (n < 0)
        return -1;
    if ((size_t)n < NLMSG_LENGTH(sizeof(answer.error)) ||
        answer.header.nlmsg_type != NLMSG_ERROR) {
        errno = EPROTO;
        return -1;
    }
    errno = -answer.error.error;
    return errno ? -1 : 0;
}

/* One step for the kernel: off the old bridge, on the new. */
static int set_master(const char *ifname, const char *bridge)
{
    struct request request = {
        .header = {.nlmsg_len = NLMSG_LENGTH(sizeof(request.info)),
                   .nlmsg_type = RTM_SETLINK},
    };
    unsigned int master = if_nametoindex(bridge);

    request.info.ifi_index = (int)if_nametoindex(ifname);
    if (!master || !request.info.ifi_index)
        return -1;
    attribute(&request, IFLA_MASTER, &master, sizeof(master));
    return ask(&request);
}

/* There already: the same. */
static int make_bridge(const char *name)
{
    struct request request = {
        .header = {.nlmsg_len = NLMSG_LENGTH(sizeof(request.info)),
                   .nlmsg_type = RTM_NEWLINK,
                   .nlmsg_flags = NLM_F_CREATE | NLM_F_EXCL},
    };
    struct rtattr *nest;

    attribute(&request, IFLA_IFNAME, name, strlen(name) + 1);
    nest = attribute(&request, IFLA_LINKINFO, NULL, 0);
    attribute(&request, IFLA_INFO_KIND, "bridge", strlen("bridge"));
    nest->rta_len = (unsigned short)((char *)&request +
                                     request.header.nlmsg_len - (char *)nest);
    return ask(&request) < 0 && errno != EEXIST ? -1 : 0;
}

static bool is_in_sysfs(const char *ifname, const char *what)
{
    char path[SYSFS_BYTES];

    snprintf(path, sizeof(path), "/sys/class/net/%s/%s", ifname, what);
    return access(path, F_OK) == 0;
}

/* On a bridge of the kernel's: not routed, and not on another switch. */
static bool is_bridged(const char *ifname)
{
    return is_in_sysfs(ifname, "master/bridge");
}

static bool is_down(const char *ifname)
{
    char path[96], text[32];
    cleanup_file FILE *f = NULL;
    unsigned int flags;

    snprintf(path, sizeof(path), "/sys/class/net/%s/flags", ifname);
    f = fopen(path, "re");
    return f && fgets(text, sizeof(text), f) &&
           sscanf(text, "%x", &flags) == 1 && !(flags & IFF_UP);
}

static bool is_set_aside(const char *ifname)
{
    return is_in_sysfs(ifname, "upper_" HELD_BRIDGE);
}

/* Either way of hold(). */
bool xenfork__sys_is_held(const char *ifname)
{
    return is_set_aside(ifname) || is_down(ifname);
}

static int hold(const char *ifname)
{
    if (!is_bridged(ifname))
        return set_link(ifname, false);
    if (make_bridge(HELD_BRIDGE) < 0 || set_link(HELD_BRIDGE, false) < 0 ||
        set_master(ifname, HELD_BRIDGE) < 0)
        return -1;
    return set_link(ifname, true);
}

int xenfork__sys_hold(xenfork_ctx *ctx, const char *ifname)
{
    LOG_DEBUG(ctx, "holding %s", ifname);
    if (hold(ifname) < 0)
        return xenfork__fail(ctx, XENFORK_E_XEN, errno,
                             "cannot hold network interface %s", ifname);
    return 0;
}

int xenfork__sys_connect(xenfork_ctx *ctx, const char *ifname,
                         const char *bridge)
{
    LOG_DEBUG(ctx, "connecting %s", ifname);
    if (is_set_aside(ifname) && !bridge)
        return xenfork__fail(ctx, XENFORK_E_XEN, 0,
                             "network interface %s: no bridge is known",
                             ifname);
    if ((is_set_aside(ifname) && set_master(ifname, bridge) < 0) ||
        set_link(ifname, true) < 0)
        return xenfork__fail(ctx, XENFORK_E_XEN, errno,
                             "cannot connect network interface %s%s%s", ifname,
                             bridge ? " to " : "", bridge ? bridge : "");
    return 0;
}

int xenfork__sys_move(xenfork_ctx *ctx, const char *ifname, const char *bridge)
{
    LOG_DEBUG(ctx, "moving %s to %s", ifname, bridge);
    if (!is_set_aside(ifname) && set_master(ifname, bridge) < 0)
        return xenfork__fail(ctx, XENFORK_E_XEN, errno,
                             "cannot move network interface %s to %s", ifname,
                             bridge);
    return 0;
}

int xenfork__sys_is_bridge(xenfork_ctx *ctx, const char *bridge)
{
    if (is_in_sysfs(bridge, "bridge") && strcmp(bridge, HELD_BRIDGE))
        return 0;
    xenfork__fail(ctx, XENFORK_E_NOTFOUND, 0, "there is no bridge %s", bridge);
    return xenfork__remedy(ctx, "ip link show type bridge lists them");
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The host side of the guests' NICs: held, and connected.
 *
 * A held NIC stays where its script has put it: a port with its VLANs and
 * flags, an interface with its routes and rates.  The first thing that the
 * kernel asks about each of its frames, in either direction, is a filter of
 * ours that drops it (clsact: sch_handle_ingress() comes before the bridge,
 * Open vSwitch and the routes, sch_handle_egress() before the queue).
 *
 * The interface is up, too: else Linux' netback would leave frames of the guest
 * in the ring (the address announcements of a clone that has just resumed,
 * first of all), and send them when the interface comes up.
 */
#include "base/internal.h"
#include "host/host.h"
#include "host/netlink.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_tun.h>
#include <linux/pkt_cls.h>
#include <linux/tc_act/tc_gact.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#define CLSACT    "clsact"
#define FIRST     (1U << 16)    /* the priority that comes before all others */
#define WE_MADE   0x78656e66U   /* our filter's handle, in a clsact of ours */
#define WE_FOUND  (WE_MADE + 1) /* in one that was there */
#define INTERFACE "xenfork%d"   /* to try it with */

static const uint32_t ways[] = {
    TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_INGRESS),
    TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_EGRESS),
};

static int set_link_up(const char *ifname)
{
    cleanup_close int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct ifreq ifr = {.ifr_name = ""};

    if (strlen(ifname) >= sizeof(ifr.ifr_name)) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(ifr.ifr_name, ifname, strlen(ifname));
    if (fd < 0 || ioctl(fd, SIOCGIFFLAGS, &ifr) < 0)
        return -1;
    ifr.ifr_flags |= IFF_UP;
    return ioctl(fd, SIOCSIFFLAGS, &ifr);
}

/* The filters of one direction. */
struct filters {
    uint32_t ours;   /* handle; 0: none */
    bool has_first;  /* another of the first priority */
    bool has_others; /* any that is not ours */
};

static bool see_filter(const struct nlmsghdr *object, void *opaque)
{
    const struct tcmsg *tc = NLMSG_DATA(object);
    struct filters *filters = opaque;

    if (object->nlmsg_type != RTM_NEWTFILTER ||
        object->nlmsg_len < NLMSG_LENGTH(sizeof(*tc)))
        return true;
    if (TC_H_MAJ(tc->tcm_info) != FIRST) {
        filters->has_others = true;
        return true;
    }
    if (!tc->tcm_handle) /* that there are some, of this priority */
        return true;
    if (tc->tcm_handle == WE_MADE || tc->tcm_handle == WE_FOUND)
        filters->ours = tc->tcm_handle;
    else
        filters->has_first = filters->has_others = true;
    return true;
}

static int list_filters(int ifindex, uint32_t way, struct filters *filters)
{
    struct xenfork__netlink request;

    *filters = (struct filters){0};
    xenfork__netlink_tc(&request, RTM_GETTFILTER, ifindex, way);
    request.header.nlmsg_flags |= NLM_F_DUMP;
    return xenfork__netlink_ask(&request, see_filter, filters);
}

static bool see_kind(const struct nlmsghdr *object, void *opaque)
{
    const struct tcmsg *tc = NLMSG_DATA(object);
    const struct rtattr *attr = TCA_RTA(tc);
    long left = (long)TCA_PAYLOAD(object);
    bool *is_clsact = opaque;

    for (; RTA_OK(attr, left); attr = RTA_NEXT(attr, left))
        if (attr->rta_type == TCA_KIND)
            *is_clsact = RTA_PAYLOAD(attr) == sizeof(CLSACT) &&
                         !memcmp(RTA_DATA(attr), CLSACT, sizeof(CLSACT));
    return true;
}

/* Report an ingress qdisc of the kind that has no egress. */
static bool has_other_qdisc(int ifindex)
{
    struct xenfork__netlink request;
    bool is_clsact = true;

    xenfork__netlink_tc(&request, RTM_GETQDISC, ifindex, TC_H_INGRESS);
    /* Without it the kernel tells everybody else. */
    request.header.nlmsg_flags |= NLM_F_ECHO;
    if (xenfork__netlink_ask(&request, see_kind, &is_clsact) < 0)
        return false;
    return !is_clsact;
}

/* Make the clsact qdisc.  1: made, 0: found, -1 with errno */
static int make_clsact(int ifindex)
{
    struct xenfork__netlink request;

    xenfork__netlink_tc(&request, RTM_NEWQDISC, ifindex, TC_H_CLSACT);
    request.header.nlmsg_flags |= NLM_F_CREATE | NLM_F_EXCL;
    request.body.tc.tcm_handle = TC_H_MAKE(TC_H_CLSACT, 0);
    xenfork__netlink_put(&request, TCA_KIND, CLSACT, sizeof(CLSACT));
    if (xenfork__netlink_ask(&request, NULL, NULL) == 0)
        return 1;
    if (errno != EEXIST || has_other_qdisc(ifindex))
        return -1;
    return 0;
}

static int remove_clsact(int ifindex)
{
    struct xenfork__netlink request;

    xenfork__netlink_tc(&request, RTM_DELQDISC, ifindex, TC_H_CLSACT);
    request.body.tc.tcm_handle = TC_H_MAKE(TC_H_CLSACT, 0);
    return xenfork__netlink_ask(&request, NULL, NULL);
}

static void name_filter(struct xenfork__netlink *request, unsigned short type,
                        int ifindex, uint32_t way, uint32_t handle)
{
    xenfork__netlink_tc(request, type, ifindex, way);
    request->body.tc.tcm_handle = handle;
    request->body.tc.tcm_info = TC_H_MAKE(FIRST, htons(ETH_P_ALL));
    xenfork__netlink_put(request, TCA_KIND, "matchall", sizeof("matchall"));
}

/* Add a filter that drops every frame. */
static int add_filter(int ifindex, uint32_t way, uint32_t handle)
{
    const struct tc_gact drop = {.action = TC_ACT_SHOT};
    struct rtattr *filter, *actions, *action, *options;
    struct xenfork__netlink request;

    name_filter(&request, RTM_NEWTFILTER, ifindex, way, handle);
    request.header.nlmsg_flags |= NLM_F_CREATE | NLM_F_EXCL;
    filter = xenfork__netlink_nest(&request, TCA_OPTIONS);
    actions = xenfork__netlink_nest(&request, TCA_MATCHALL_ACT);
    action = xenfork__netlink_nest(&request, 1);
    xenfork__netlink_put(&request, TCA_ACT_KIND, "gact", sizeof("gact"));
    options = xenfork__netlink_nest(&request, TCA_ACT_OPTIONS);
    xenfork__netlink_put(&request, TCA_GACT_PARMS, &drop, sizeof(drop));
    xenfork__netlink_end(&request, options);
    xenfork__netlink_end(&request, action);
    xenfork__netlink_end(&request, actions);
    xenfork__netlink_end(&request, filter);
    return xenfork__netlink_ask(&request, NULL, NULL);
}

static int remove_filter(int ifindex, uint32_t way, struct filters *filters)
{
    struct xenfork__netlink request;

    if (list_filters(ifindex, way, filters) < 0)
        return -1;
    if (!filters->ours)
        return 0;
    name_filter(&request, RTM_DELTFILTER, ifindex, way, filters->ours);
    return xenfork__netlink_ask(&request, NULL, NULL);
}

/*
 * Remove our filters, and nothing else: a filter that somebody has put beside
 * them keeps the qdisc.
 */
static int release(int ifindex)
{
    bool have_made = false, has_others = false;
    size_t i;

    for (i = 0; i < ARRAY_SIZE(ways); i++) {
        struct filters filters;

        if (remove_filter(ifindex, ways[i], &filters) < 0)
            return -1;
        have_made |= filters.ours == WE_MADE;
        has_others |= filters.has_others;
    }
    return have_made && !has_others ? remove_clsact(ifindex) : 0;
}

static bool has_filters(int ifindex)
{
    struct filters filters;
    size_t i;

    for (i = 0; i < ARRAY_SIZE(ways); i++)
        if (list_filters(ifindex, ways[i], &filters) < 0 || !filters.ours)
            return false;
    return true;
}

/* Make sure that there is a filter.  Another process of ours may make it at the
 * same moment: that is as good. */
static int ensure_filter(int ifindex, uint32_t way, uint32_t handle)
{
    struct filters filters;

    if (add_filter(ifindex, way, handle) == 0)
        return 0;
    if (errno != EEXIST)
        return -1;
    if (list_filters(ifindex, way, &filters) == 0 && filters.ours)
        return 0;
    errno = EEXIST;
    return -1;
}

static int drop_all(int ifindex)
{
    int made = make_clsact(ifindex), e;
    size_t i;

    if (made < 0)
        return -1;
    for (i = 0; i < ARRAY_SIZE(ways); i++)
        if (ensure_filter(ifindex, ways[i], made ? WE_MADE : WE_FOUND) < 0) {
            e = errno;
            release(ifindex);
            errno = e;
            return -1;
        }
    return 0;
}

static int hold_interface(const char *ifname)
{
    int ifindex = (int)if_nametoindex(ifname), e;

    if (!ifindex)
        return -1;
    if (has_filters(ifindex))
        return set_link_up(ifname);
    if (drop_all(ifindex) < 0)
        return -1;
    if (set_link_up(ifname) == 0)
        return 0;
    e = errno;
    release(ifindex);
    errno = e;
    return -1;
}

bool xenfork__sys_emulated(const char *ifname, char *emulated)
{
    return snprintf(emulated, IF_NAMESIZE, "%s-emu", ifname) < IF_NAMESIZE &&
           if_nametoindex(emulated);
}

int xenfork__sys_hold(xenfork_ctx *ctx, const char *ifname)
{
    char emulated[IF_NAMESIZE];

    LOG_DEBUG(ctx, "holding %s", ifname);
    if (hold_interface(ifname) < 0 ||
        (xenfork__sys_emulated(ifname, emulated) &&
         hold_interface(emulated) < 0))
        return xenfork__fail(ctx, XENFORK_E_IO, errno,
                             "cannot hold network interface %s", ifname);
    return 0;
}

int xenfork__sys_connect(xenfork_ctx *ctx, const char *ifname)
{
    int ifindex = (int)if_nametoindex(ifname);
    char emulated[IF_NAMESIZE];

    LOG_DEBUG(ctx, "connecting %s", ifname);
    if (!ifindex || release(ifindex) < 0 || set_link_up(ifname) < 0 ||
        (xenfork__sys_emulated(ifname, emulated) &&
         (release((int)if_nametoindex(emulated)) < 0 ||
          set_link_up(emulated) < 0)))
        return xenfork__fail(ctx, XENFORK_E_IO, errno,
                             "cannot connect network interface %s", ifname);
    return 0;
}

bool xenfork__sys_is_held(const char *ifname)
{
    int ifindex = (int)if_nametoindex(ifname);

    return ifindex && has_filters(ifindex);
}

static int mute(const char *ifname)
{
    const uint32_t egress = TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_EGRESS);
    int ifindex = (int)if_nametoindex(ifname), made, e;

    if (!ifindex || (made = make_clsact(ifindex)) < 0)
        return -1;
    if (ensure_filter(ifindex, egress, made ? WE_MADE : WE_FOUND) == 0)
        return 0;
    e = errno;
    release(ifindex);
    errno = e;
    return -1;
}

int xenfork__sys_mute(xenfork_ctx *ctx, const char *ifname)
{
    if (mute(ifname) == 0)
        return 0;
    return xenfork__fail(ctx, XENFORK_E_IO, errno,
                         "cannot mute network interface %s", ifname);
}

int xenfork__sys_unmute(xenfork_ctx *ctx, const char *ifname)
{
    int ifindex = (int)if_nametoindex(ifname);

    /* Both ways: xl fork-net has held it meanwhile. */
    if (!ifindex || has_filters(ifindex) || release(ifindex) == 0 ||
        errno == ENODEV)
        return 0;
    return xenfork__fail(ctx, XENFORK_E_IO, errno,
                         "network interface %s stays muted", ifname);
}

static bool has_module(const char *name)
{
    char path[64];

    snprintf(path, sizeof(path), "/sys/module/%s", name);
    return access(path, F_OK) == 0;
}

/* Try it with an interface of our own, which goes as it is closed. */
static bool kernel_can(void)
{
    struct ifreq ifr = {.ifr_name = INTERFACE};
    cleanup_close int fd = -1;
    int ifindex;

    if (has_module("sch_ingress") && has_module("cls_matchall") &&
        has_module("act_gact"))
        return true;
    fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
    ifr.ifr_flags = IFF_TAP | IFF_NO_PI;
    if (fd < 0 || ioctl(fd, TUNSETIFF, &ifr) < 0)
        return true; /* nothing to try it with */
    ifindex = (int)if_nametoindex(ifr.ifr_name);
    return ifindex && drop_all(ifindex) == 0;
}

static bool has_first_filter(int ifindex)
{
    struct filters filters;
    size_t i;

    for (i = 0; i < ARRAY_SIZE(ways); i++)
        if (list_filters(ifindex, ways[i], &filters) == 0 && filters.has_first)
            return true;
    return false;
}

int xenfork__sys_can_hold(xenfork_ctx *ctx, const char *ifname)
{
    int ifindex = (int)if_nametoindex(ifname);

    if (!ifindex) {
        xenfork__miss(ctx, XENFORK_E_DEVICE,
                      "network interface %s is not in this network namespace",
                      ifname);
        return xenfork__remedy(ctx, "it cannot be held: say --net connect");
    }
    if (!kernel_can()) {
        xenfork__miss(ctx, XENFORK_E_DEVICE,
                      "this kernel cannot hold network interfaces");
        return xenfork__remedy(ctx,
                               "modprobe -a sch_ingress cls_matchall act_gact, "
                               "or say --net connect");
    }
    if (xenfork__sys_is_switched(ifindex)) {
        xenfork__miss(ctx, XENFORK_E_DEVICE,
                      "network interface %s is a port of Open vSwitch's "
                      "userspace datapath, and cannot be held",
                      ifname);
        return xenfork__remedy(ctx, "put it on a bridge with "
                                    "datapath_type=system, or say --net "
                                    "connect");
    }
    if (has_other_qdisc(ifindex)) {
        xenfork__miss(ctx, XENFORK_E_DEVICE,
                      "network interface %s has an ingress qdisc, and cannot "
                      "be held",
                      ifname);
        return xenfork__remedy(ctx, "use clsact in its place, which takes the "
                                    "same filters, or say --net connect");
    }
    if (has_first_filter(ifindex)) {
        xenfork__miss(ctx, XENFORK_E_DEVICE,
                      "network interface %s has a tc filter of priority 1, "
                      "and cannot be held",
                      ifname);
        return xenfork__remedy(ctx, "give it another priority, or say --net "
                                    "connect");
    }
    return 0;
}

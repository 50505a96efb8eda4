/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Requests to the kernel's routing netlink, one at a time. */
#ifndef LIBFORK_HOST_NETLINK_H
#define LIBFORK_HOST_NETLINK_H

#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define XENFORK__NETLINK_BYTES 512U

struct xenfork__netlink {
    struct nlmsghdr header;
    union {
        struct ifinfomsg info;
        struct tcmsg tc;
    } body;
    char attributes[XENFORK__NETLINK_BYTES];
};

void xenfork__netlink_link(struct xenfork__netlink *request,
                           unsigned short type, int ifindex);
void xenfork__netlink_tc(struct xenfork__netlink *request, unsigned short type,
                         int ifindex, uint32_t parent);
/* Append an attribute; the request has room for all of ours. */
void xenfork__netlink_put(struct xenfork__netlink *request, unsigned short type,
                          const void *data, size_t bytes);
/* Append one that holds what is appended until its end. */
struct rtattr *xenfork__netlink_nest(struct xenfork__netlink *request,
                                     unsigned short type);
void xenfork__netlink_end(struct xenfork__netlink *request,
                          struct rtattr *nest);

/*
 * Look at an object that the kernel answers with; false: the rest is of no
 * interest.
 */
typedef bool xenfork__netlink_seen(const struct nlmsghdr *object, void *opaque);
/* Ask the kernel; 0, or -1 with errno.  @seen NULL: no objects are expected */
int xenfork__netlink_ask(struct xenfork__netlink *request,
                         xenfork__netlink_seen *seen, void *opaque);

#endif

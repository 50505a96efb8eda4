/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/netlink.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "base/cleanup.h"

#define KERNEL_S     5 /* the kernel answers at once */
#define ANSWER_BYTES 32768U

static void begin_request(struct xenfork__netlink *request, unsigned short type,
                          size_t bytes)
{
    memset(request, 0, sizeof(*request));
    request->header.nlmsg_type = type;
    request->header.nlmsg_flags = NLM_F_REQUEST;
    request->header.nlmsg_len = (uint32_t)NLMSG_LENGTH(bytes);
}

void xenfork__netlink_link(struct xenfork__netlink *request,
                           unsigned short type, int ifindex)
{
    begin_request(request, type, sizeof(request->body.info));
    request->body.info.ifi_index = ifindex;
}

void xenfork__netlink_tc(struct xenfork__netlink *request, unsigned short type,
                         int ifindex, uint32_t parent)
{
    begin_request(request, type, sizeof(request->body.tc));
    request->body.tc.tcm_ifindex = ifindex;
    request->body.tc.tcm_parent = parent;
}

static struct rtattr *put_attribute(struct xenfork__netlink *request,
                                    unsigned short type, const void *data,
                                    size_t bytes)
{
    uint32_t at = NLMSG_ALIGN(request->header.nlmsg_len);
    struct rtattr *attr = (struct rtattr *)((char *)request + at);

    attr->rta_type = type;
    attr->rta_len = (unsigned short)RTA_LENGTH(bytes);
    if (bytes)
        memcpy(RTA_DATA(attr), data, bytes);
    request->header.nlmsg_len = at + (uint32_t)RTA_ALIGN(attr->rta_len);
    return attr;
}

void xenfork__netlink_put(struct xenfork__netlink *request, unsigned short type,
                          const void *data, size_t bytes)
{
    put_attribute(request, type, data, bytes);
}

struct rtattr *xenfork__netlink_nest(struct xenfork__netlink *request,
                                     unsigned short type)
{
    return put_attribute(request, type, NULL, 0);
}

void xenfork__netlink_end(struct xenfork__netlink *request, struct rtattr *nest)
{
    nest->rta_len = (unsigned short)((char *)request +
                                     request->header.nlmsg_len - (char *)nest);
}

static int send_request(const struct xenfork__netlink *request)
{
    struct timeval timeout = {.tv_sec = KERNEL_S};
    cleanup_close int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC,
                                  NETLINK_ROUTE);
    int asked;

    if (fd < 0 ||
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)) ||
        send(fd, request, request->header.nlmsg_len, 0) < 0)
        return -1;
    asked = fd;
    fd = -1;
    return asked;
}

/* Read one piece of the answer: 1 when it was the last, or -1 with errno. */
static int take_answer(const char *answer, size_t bytes,
                       xenfork__netlink_seen *seen, void *opaque)
{
    const struct nlmsghdr *object = (const struct nlmsghdr *)answer;
    size_t left = bytes;

    for (; NLMSG_OK(object, left); object = NLMSG_NEXT(object, left)) {
        const struct nlmsgerr *error = NLMSG_DATA(object);

        if (object->nlmsg_type == NLMSG_DONE)
            return 1;
        if (object->nlmsg_type == NLMSG_ERROR) {
            errno = object->nlmsg_len < NLMSG_LENGTH(sizeof(*error))
                        ? EPROTO
                        : -error->error;
            return errno ? -1 : 1;
        }
        if (seen && !seen(object, opaque))
            return 1;
    }
    return 0;
}

int xenfork__netlink_ask(struct xenfork__netlink *request,
                         xenfork__netlink_seen *seen, void *opaque)
{
    cleanup_free char *answer = malloc(ANSWER_BYTES);
    cleanup_close int fd = -1;
    ssize_t n;
    int r;

    /* A list that is asked for has an end of its own. */
    request->header.nlmsg_flags |= NLM_F_ACK;
    if (!answer || (fd = send_request(request)) < 0)
        return -1;
    do {
        do
            n = recv(fd, answer, ANSWER_BYTES, 0);
        while (n < 0 && errno == EINTR);
        r = n < 0 ? -1 : take_answer(answer, (size_t)n, seen, opaque);
    } while (r == 0);
    return r < 0 ? -1 : 0;
}

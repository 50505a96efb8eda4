/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * xenstore through the kernel's device, spoken directly (Xen: xen/include/public/io/xs_wire.h). Each
 * operation but a watch opens the device anew, so nothing is left over from before a fork, and gives up in time.
 */
#include "observe.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define XS_READ 2
#define XS_WATCH 4
#define XS_WRITE 11
#define XS_ERROR 16
#define STORE_DEVICE "/dev/xen/xenbus"
#define STORE_TIMEOUT_MS 5000
#define PAYLOAD_BYTES 4096

struct message {
    uint32_t type, req_id, tx_id, len;
    char payload[PAYLOAD_BYTES];
};
#define HEADER_BYTES 16

static int read_exactly(int fd, void *buffer, size_t bytes)
{
    char *at = buffer;

    while (bytes > 0) {
        struct pollfd ready = { .fd = fd, .events = POLLIN };
        ssize_t r;

        if (poll(&ready, 1, STORE_TIMEOUT_MS) <= 0)
            return -ETIMEDOUT;
        r = read(fd, at, bytes);
        if (r < 0 && (errno == EAGAIN || errno == EINTR))
            continue;
        if (r <= 0)
            return r ? -errno : -EPIPE;
        at += r;
        bytes -= (size_t)r;
    }
    return 0;
}

static int exchange(int fd, struct message *message)
{
    size_t bytes = HEADER_BYTES + message->len;
    int rc;

    if (write(fd, message, bytes) != (ssize_t)bytes)
        return -EIO;
    if ((rc = read_exactly(fd, message, HEADER_BYTES)) < 0)
        return rc;
    if (message->len >= sizeof message->payload)
        return -EMSGSIZE;
    if ((rc = read_exactly(fd, message->payload, message->len)) < 0)
        return rc;
    message->payload[message->len] = '\0';
    if (message->type != XS_ERROR)
        return 0;
    return !strcmp(message->payload, "ENOENT")   ? -ENOENT
           : !strcmp(message->payload, "EACCES") ? -EACCES
                                                 : -EIO;
}

static int transact(struct message *message)
{
    int fd = open(STORE_DEVICE, O_RDWR | O_NONBLOCK | O_CLOEXEC);
    int rc;

    if (fd < 0)
        return -errno;
    rc = exchange(fd, message);
    close(fd);
    return rc;
}

int store_read(const char *path, char *value, size_t value_bytes)
{
    struct message message = { .type = XS_READ };
    int rc;

    message.len = (uint32_t)strlen(path) + 1;
    if (message.len > sizeof message.payload)
        return -ENAMETOOLONG;
    memcpy(message.payload, path, message.len);
    rc = transact(&message);
    if (rc == 0)
        snprintf(value, value_bytes, "%s", message.payload);
    return rc;
}

int store_write(const char *path, const char *value)
{
    struct message message = { .type = XS_WRITE };
    size_t path_bytes = strlen(path) + 1, value_bytes = strlen(value);

    if (path_bytes + value_bytes >= sizeof message.payload)
        return -EMSGSIZE;
    memcpy(message.payload, path, path_bytes);
    memcpy(message.payload + path_bytes, value, value_bytes);
    message.len = (uint32_t)(path_bytes + value_bytes);
    return transact(&message);
}

int store_watch(const char *path)
{
    struct message message = { .type = XS_WATCH };
    size_t path_bytes = strlen(path) + 1;
    int fd, rc;

    fd = open(STORE_DEVICE, O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    memcpy(message.payload, path, path_bytes);
    memcpy(message.payload + path_bytes, "w", 2);
    message.len = (uint32_t)path_bytes + 2;
    rc = exchange(fd, &message);
    if (rc == 0)
        return fd;
    close(fd);
    return rc;
}

void store_wait(int fd, int timeout_ms)
{
    struct pollfd ready = { .fd = fd, .events = POLLIN };
    char events[PAYLOAD_BYTES];

    /* Without a descriptor it is a pause. */
    if (poll(&ready, 1, timeout_ms) > 0)
        while (read(fd, events, sizeof events) > 0)
            ;
}

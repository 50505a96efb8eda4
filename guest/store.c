/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The wire protocol: xen/include/public/io/xs_wire.h. */
#define _GNU_SOURCE
#include "store.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "agent.h"
#include "util.h"

enum {
    XS_DIRECTORY = 1,
    XS_READ = 2,
    XS_WATCH = 4,
    XS_WRITE = 11,
    XS_RM = 13,
    XS_WATCH_EVENT = 15,
    XS_ERROR = 16,
};

#define REPLY_TIMEOUT_MS 30000

struct header {
    uint32_t type;
    uint32_t req_id;
    uint32_t tx_id;
    uint32_t len;
};

struct message {
    struct header header;
    char payload[STORE_PAYLOAD_MAX + 1]; /* and a NUL */
};

static int open_socket(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd;

    if (strlen(path) >= sizeof(address.sun_path))
        return -ENAMETOOLONG;
    memcpy(address.sun_path, path, strlen(path) + 1);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
        fcntl(fd, F_SETFL, O_NONBLOCK) < 0) {
        int rc = -errno;

        close(fd);
        return rc;
    }
    return fd;
}

static int open_path(const char *path)
{
    int fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);

    if (fd < 0 && errno == ENXIO) /* what open() says of a socket */
        return open_socket(path);
    return fd < 0 ? -errno : fd;
}

void store_attach(struct store *store, int fd)
{
    *store = (struct store){.fd = fd, .next_id = 1};
}

int store_open(struct store *store, const char *path)
{
    int fd = open_path(path ? path : "/dev/xen/xenbus");

    if (fd < 0 && !path)
        fd = open_path("/proc/xen/xenbus");
    store_attach(store, fd < 0 ? -1 : fd);
    return fd < 0 ? fd : 0;
}

void store_close(struct store *store)
{
    if (store->fd >= 0)
        close(store->fd);
    store->fd = -1;
}

/*
 * Close a broken connection: the rest of an answer may still come, so that
 * nothing after this can be trusted.
 */
static int broken(struct store *store, int rc)
{
    store_close(store);
    return rc;
}

static int wait_for(int fd, short events, long long deadline_ms)
{
    struct pollfd ready = {.fd = fd, .events = events};
    int r;

    do {
        long long left_ms = deadline_ms - now_ms();

        r = poll(&ready, 1, left_ms > 0 ? (int)left_ms : 0);
    } while (r < 0 && errno == EINTR);
    if (r < 0)
        return -errno;
    return r == 0 ? -ETIMEDOUT : 0;
}

/* Transfer bytes.  POLLIN: read them; POLLOUT: write them. */
static int transfer(int fd, short direction, void *bytes, size_t count,
                    long long deadline)
{
    char *at = bytes;

    while (count > 0) {
        ssize_t r = direction == POLLIN ? read(fd, at, count)
                                        : write(fd, at, count);

        if (r == 0 && direction == POLLIN)
            return -EPIPE;
        if (r < 0 && errno == EAGAIN) {
            int rc = wait_for(fd, direction, deadline);

            if (rc < 0)
                return rc;
        } else if (r < 0 && errno != EINTR) {
            return -errno;
        } else if (r > 0) {
            at += r;
            count -= (size_t)r;
        }
    }
    return 0;
}

static int receive(int fd, struct message *message, long long deadline)
{
    int rc = transfer(fd, POLLIN, &message->header, sizeof(message->header),
                      deadline);

    if (rc < 0)
        return rc;
    if (message->header.len > STORE_PAYLOAD_MAX)
        return -EPROTO;
    rc = transfer(fd, POLLIN, message->payload, message->header.len, deadline);
    if (rc < 0)
        return rc;
    message->payload[message->header.len] = '\0';
    return 0;
}

static int errno_of(const char *name)
{
    static const struct {
        const char *name;
        int value;
    } table[] = {
        {"ENOENT", ENOENT}, {"EACCES", EACCES}, {"EPERM", EPERM},
        {"EINVAL", EINVAL}, {"E2BIG", E2BIG},   {"ENOSPC", ENOSPC},
        {"EQUOTA", EDQUOT}, {"EEXIST", EEXIST}, {"EAGAIN", EAGAIN},
        {"EBUSY", EBUSY},   {"ENOMEM", ENOMEM},
    };

    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
        if (!strcmp(name, table[i].name))
            return table[i].value;
    return EIO;
}

/* Send what MESSAGE has, and leave the answer there. */
static int exchange(struct store *store, struct message *message)
{
    long long deadline = now_ms() + REPLY_TIMEOUT_MS;
    struct header sent = message->header;
    int rc;

    if (store->fd < 0)
        return -EPIPE;
    sent.req_id = message->header.req_id = store->next_id++;
    /* Send a message by one write(), which is best for /dev/xen/xenbus. */
    rc = transfer(store->fd, POLLOUT, message, sizeof(sent) + sent.len,
                  deadline);
    if (rc < 0)
        return broken(store, rc);
    for (;;) {
        rc = receive(store->fd, message, deadline);
        if (rc < 0)
            return broken(store, rc);
        if (message->header.type != XS_WATCH_EVENT)
            break;
        store->has_event = true;
    }
    /* Linux answers XS_WATCH itself, without the number of the request. */
    if (message->header.req_id != sent.req_id &&
        (sent.type != XS_WATCH || message->header.req_id != 0))
        return broken(store, -EPROTO);
    if (message->header.type == XS_ERROR)
        return -errno_of(message->payload);
    return message->header.type == sent.type ? 0 : broken(store, -EPROTO);
}

/* Begin a request with one string, terminated. */
static int request(struct message *message, uint32_t type, const char *text)
{
    size_t bytes = strlen(text) + 1;

    if (bytes > STORE_PAYLOAD_MAX)
        return -ENAMETOOLONG;
    message->header = (struct header){.type = type, .len = (uint32_t)bytes};
    memcpy(message->payload, text, bytes);
    return 0;
}

/* Add bytes to a request. */
static int append(struct message *message, const char *bytes, size_t count)
{
    if (count > STORE_PAYLOAD_MAX - message->header.len)
        return -EMSGSIZE;
    memcpy(message->payload + message->header.len, bytes, count);
    message->header.len += (uint32_t)count;
    return 0;
}

/* Clear a message: a value may be a secret, and must not stay on the stack. */
static int done(struct message *message, int rc)
{
    explicit_bzero(message->payload, sizeof(message->payload));
    return rc;
}

int store_read(struct store *store, const char *path, char *value_out,
               size_t value_bytes)
{
    struct message message;
    int rc = request(&message, XS_READ, path);

    if (rc == 0)
        rc = exchange(store, &message);
    if (rc < 0)
        return done(&message, rc);
    if (message.header.len >= value_bytes)
        return done(&message, -EMSGSIZE);
    if (strlen(message.payload) != message.header.len)
        return done(&message, -EPROTO);
    memcpy(value_out, message.payload, message.header.len + 1);
    return done(&message, 0);
}

int store_write(struct store *store, const char *path, const char *value)
{
    struct message message;
    int rc = request(&message, XS_WRITE, path);

    if (rc == 0)
        rc = append(&message, value, strlen(value));
    if (rc == 0)
        rc = exchange(store, &message);
    return done(&message, rc);
}

int store_rm(struct store *store, const char *path)
{
    struct message message;
    int rc = request(&message, XS_RM, path);

    if (rc == 0)
        rc = exchange(store, &message);
    return rc == -ENOENT ? 0 : rc;
}

int store_list(struct store *store, const char *path,
               char names_out[STORE_PAYLOAD_MAX], size_t *bytes_out)
{
    struct message message;
    int rc = request(&message, XS_DIRECTORY, path);

    if (rc == 0)
        rc = exchange(store, &message);
    if (rc < 0)
        return done(&message, rc);
    if (message.header.len > 0 &&
        message.payload[message.header.len - 1] != '\0')
        return done(&message, -EPROTO);
    memcpy(names_out, message.payload, message.header.len);
    *bytes_out = message.header.len;
    return done(&message, 0);
}

int store_watch(struct store *store, const char *path)
{
    struct message message;
    int rc = request(&message, XS_WATCH, path);

    if (rc == 0)
        rc = append(&message, "w", sizeof("w")); /* the token */
    if (rc == 0)
        rc = exchange(store, &message);
    return done(&message, rc);
}

int store_wait(struct store *store, int timeout_ms)
{
    struct pollfd ready = {.fd = store->fd, .events = POLLIN};
    struct timespec limit = {.tv_sec = timeout_ms / 1000,
                             .tv_nsec = timeout_ms % 1000 * 1000000L};
    struct message message;
    sigset_t none;
    int rc;

    if (store->fd < 0)
        return -EPIPE;
    if (!store->has_event) {
        int r;

        sigemptyset(&none);
        r = ppoll(&ready, 1, timeout_ms < 0 ? NULL : &limit, &none);

        if (r <= 0)
            return r < 0 ? -errno : 0;
        rc = receive(store->fd, &message, now_ms() + REPLY_TIMEOUT_MS);
        if (rc == 0 && message.header.type != XS_WATCH_EVENT)
            rc = -EPROTO;
        if (rc < 0)
            return broken(store, rc);
    }
    store->has_event = false;
    return 1;
}

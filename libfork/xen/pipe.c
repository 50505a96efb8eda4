/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The wire protocol: xen/include/public/io/xs_wire.h, docs/misc/xenstore.txt */
#include "xen/pipe.h"

#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <xen/io/xs_wire.h>

#define SOCKET_PATH "/var/run/xenstored/socket"
#define KEPT_BYTES  65536U
#ifndef PIPE_ANSWER_S
#define PIPE_ANSWER_S 30U /* as long as the guest's agent waits */
#endif

struct xenfork__pipe {
    int fd; /* -1: there is no connection */
    /* A device of Linux takes one message with each write. */
    bool is_device;
    uint32_t next_id, answered_id; /* in between they are under way */
    char *out;
    size_t bytes, room;
    int e; /* of the first request that failed since somebody waited */
    uint32_t started; /* what the last XS_TRANSACTION_START gave */
    char in[sizeof(struct xsd_sockmsg) + XENFORK__PIPE_MAX];
    size_t got;
};

static int open_socket(void)
{
    const char *path = getenv("XENSTORED_PATH"); /* as libxenstore does */
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    cleanup_close int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (!path)
        path = SOCKET_PATH;
    if (fd < 0 || strlen(path) >= sizeof(address.sun_path))
        return -1;
    memcpy(address.sun_path, path, strlen(path));
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
        fcntl(fd, F_SETFL, O_NONBLOCK) < 0)
        return -1;
    return steal_fd(&fd);
}

static int open_xenbus(void)
{
    const int flags = O_RDWR | O_NONBLOCK | O_CLOEXEC | O_NOCTTY;
    int fd = open("/dev/xen/xenbus", flags);

    return fd < 0 ? open("/proc/xen/xenbus", flags) : fd;
}

/* Note an error: a request that is lost must not end in a finished transaction.
 */
static void note_error(struct xenfork__pipe *pipe, int e)
{
    if (!pipe->e)
        pipe->e = e;
}

/* Connect, unless there is a connection. */
static struct xenfork__pipe *use_pipe(xenfork_ctx *ctx)
{
    struct xenfork__pipe *pipe = ctx->xen->pipe;

    if (pipe->fd >= 0)
        return pipe;
    pipe->fd = open_socket();
    pipe->is_device = pipe->fd < 0;
    if (pipe->is_device)
        pipe->fd = open_xenbus();
    if (pipe->fd < 0)
        note_error(pipe, errno);
    return pipe;
}

/* Close the connection, when nothing that still comes can be trusted. */
static void hang_up(struct xenfork__pipe *pipe, int e)
{
    note_error(pipe, e);
    close(pipe->fd);
    pipe->fd = -1;
    pipe->answered_id = pipe->next_id;
    pipe->got = 0;
}

static bool make_pipe_room(struct xenfork__pipe *pipe, size_t bytes)
{
    size_t room = pipe->room ? pipe->room : 4096;
    char *more;

    while (room - pipe->bytes < bytes)
        room *= 2;
    if (room == pipe->room)
        return true;
    more = realloc(pipe->out, room);
    if (!more)
        return false;
    pipe->out = more;
    pipe->room = room;
    return true;
}

/* Put a request of two parts, each with the NULs that it is to have. */
static void put_request(xenfork_ctx *ctx, uint32_t type, uint32_t transaction,
                        const char *path, size_t path_bytes, const char *more,
                        size_t more_bytes)
{
    struct xsd_sockmsg header = {.type = type,
                                 .tx_id = transaction,
                                 .len = (uint32_t)(path_bytes + more_bytes)};
    struct xenfork__pipe *pipe = use_pipe(ctx);

    if (pipe->fd < 0)
        return;
    if (path_bytes > XENFORK__PIPE_MAX ||
        more_bytes > XENFORK__PIPE_MAX - path_bytes) {
        note_error(pipe, E2BIG);
        return;
    }
    if (!make_pipe_room(pipe, sizeof(header) + header.len)) {
        note_error(pipe, ENOMEM);
        return;
    }
    header.req_id = pipe->next_id++;
    memcpy(pipe->out + pipe->bytes, &header, sizeof(header));
    pipe->bytes += sizeof(header);
    memcpy(pipe->out + pipe->bytes, path, path_bytes);
    pipe->bytes += path_bytes;
    if (more_bytes)
        memcpy(pipe->out + pipe->bytes, more, more_bytes);
    pipe->bytes += more_bytes;
    xenfork__count(ctx, XENFORK_COUNT_XENSTORE_OPS, 1);
}

static void __attribute__((format(printf, 6, 0)))
put_path(xenfork_ctx *ctx, uint32_t type, uint32_t transaction,
         const char *more, size_t more_bytes, const char *fmt, va_list args)
{
    char path[XENSTORE_ABS_PATH_MAX + 1];
    int n = vsnprintf(path, sizeof(path), fmt, args);

    if (n < 0 || (size_t)n >= sizeof(path)) {
        note_error(ctx->xen->pipe, E2BIG);
        return;
    }
    put_request(ctx, type, transaction, path, (size_t)n + 1, more, more_bytes);
}

void xenfork__pipe_write(xenfork_ctx *ctx, uint32_t transaction,
                         const char *value, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    put_path(ctx, XS_WRITE, transaction, value, strlen(value), fmt, args);
    va_end(args);
}

void xenfork__pipe_mkdir(xenfork_ctx *ctx, uint32_t transaction,
                         const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    put_path(ctx, XS_MKDIR, transaction, NULL, 0, fmt, args);
    va_end(args);
}

void xenfork__pipe_rm(xenfork_ctx *ctx, uint32_t transaction, const char *fmt,
                      ...)
{
    va_list args;

    va_start(args, fmt);
    put_path(ctx, XS_RM, transaction, NULL, 0, fmt, args);
    va_end(args);
}

void xenfork__pipe_permit(xenfork_ctx *ctx, uint32_t transaction,
                          uint32_t owner, uint32_t reader, const char *fmt, ...)
{
    char perms[32];
    size_t bytes = (size_t)snprintf(perms, sizeof(perms), "n%" PRIu32, owner) +
                   1;
    va_list args;

    if (reader != XENFORK_DOMID_NONE)
        bytes += (size_t)snprintf(perms + bytes, sizeof(perms) - bytes,
                                  "r%" PRIu32, reader) +
                 1;
    va_start(args, fmt);
    put_path(ctx, XS_SET_PERMS, transaction, perms, bytes, fmt, args);
    va_end(args);
}

void xenfork__pipe_introduce(xenfork_ctx *ctx, uint32_t domid, uint64_t gfn,
                             uint32_t port)
{
    char who[16], where[48];
    int n = snprintf(who, sizeof(who), "%" PRIu32, domid) + 1;
    int m = snprintf(where, sizeof(where), "%" PRIu64, gfn) + 1;

    m += snprintf(where + m, sizeof(where) - (size_t)m, "%" PRIu32, port) + 1;
    put_request(ctx, XS_INTRODUCE, 0, who, (size_t)n, where, (size_t)m);
}

static int errno_of(const char *name)
{
    size_t i;

    for (i = 0; i < ARRAY_SIZE(xsd_errors); i++)
        if (!strcmp(name, xsd_errors[i].errstring))
            return xsd_errors[i].errnum;
    return EIO;
}

/* Take the answer to the oldest request; xenstored answers them in order. */
static void take_reply(struct xenfork__pipe *pipe,
                       const struct xsd_sockmsg *header, const char *payload)
{
    char text[64];
    size_t bytes = header->len < sizeof(text) ? header->len : sizeof(text) - 1;

    if (header->type == XS_WATCH_EVENT)
        return;
    if (header->req_id != pipe->answered_id) {
        hang_up(pipe, EPROTO);
        return;
    }
    pipe->answered_id++;
    memcpy(text, payload, bytes);
    text[bytes] = '\0';
    if (header->type == XS_TRANSACTION_START &&
        sscanf(text, "%" SCNu32, &pipe->started) != 1)
        hang_up(pipe, EPROTO);
    else if (header->type == XS_ERROR)
        note_error(pipe, errno_of(text));
}

/* Take the answers that are there in full. */
static void take_all(struct xenfork__pipe *pipe)
{
    struct xsd_sockmsg header;
    size_t bytes;

    while (pipe->fd >= 0 && pipe->got >= sizeof(header)) {
        memcpy(&header, pipe->in, sizeof(header));
        if (header.len > XENFORK__PIPE_MAX) {
            hang_up(pipe, EPROTO);
            return;
        }
        bytes = sizeof(header) + header.len;
        if (pipe->got < bytes)
            return;
        take_reply(pipe, &header, pipe->in + sizeof(header));
        if (pipe->fd < 0)
            return;
        pipe->got -= bytes;
        memmove(pipe->in, pipe->in + bytes, pipe->got);
    }
}

/* Return how many bytes the next write may have. */
static size_t piece(const struct xenfork__pipe *pipe, size_t sent)
{
    struct xsd_sockmsg header;

    if (!pipe->is_device)
        return pipe->bytes - sent;
    memcpy(&header, pipe->out + sent, sizeof(header));
    return sizeof(header) + header.len;
}

/* Send and receive what is possible at the moment. */
static void move_bytes(struct xenfork__pipe *pipe, short ready, size_t *sent)
{
    ssize_t n;

    if ((ready & POLLOUT) && *sent < pipe->bytes) {
        n = pipe->is_device
                ? write(pipe->fd, pipe->out + *sent, piece(pipe, *sent))
                : send(pipe->fd, pipe->out + *sent, piece(pipe, *sent),
                       MSG_NOSIGNAL);
        if (n > 0)
            *sent += (size_t)n;
        else if (n < 0 && errno != EAGAIN && errno != EINTR)
            hang_up(pipe, errno);
    }
    if (pipe->fd < 0 || !(ready & (POLLIN | POLLHUP | POLLERR)))
        return;
    n = read(pipe->fd, pipe->in + pipe->got, sizeof(pipe->in) - pipe->got);
    if (n > 0)
        pipe->got += (size_t)n;
    if (n == 0)
        hang_up(pipe, EPIPE);
    else if (n < 0 && errno != EAGAIN && errno != EINTR)
        hang_up(pipe, errno);
    else
        take_all(pipe);
}

/* Wait until something can be moved; false: the time is over. */
static bool wait_ready(struct xenfork__pipe *pipe, size_t sent, uint64_t due_ns,
                       short *ready_out)
{
    struct pollfd ready = {.fd = pipe->fd, .events = POLLIN};
    uint64_t now_ns = xenfork__now_ns();
    int r;

    if (sent < pipe->bytes)
        ready.events |= POLLOUT;
    if (now_ns >= due_ns)
        return false;
    r = poll(&ready, 1, (int)((due_ns - now_ns) / 1000000U) + 1);
    *ready_out = r > 0 ? ready.revents : 0;
    return true;
}

int xenfork__pipe_wait(xenfork_ctx *ctx)
{
    uint64_t due_ns = xenfork__now_ns() + PIPE_ANSWER_S * UINT64_C(1000000000);
    struct xenfork__pipe *pipe = use_pipe(ctx);
    size_t sent = 0;
    short ready = 0;
    int e;

    if (pipe->bytes)
        xenfork__count(ctx, XENFORK_COUNT_XENSTORE_WAITS, 1);
    while (pipe->fd >= 0 &&
           (sent < pipe->bytes || pipe->answered_id != pipe->next_id)) {
        if (wait_ready(pipe, sent, due_ns, &ready))
            move_bytes(pipe, ready, &sent);
        else
            hang_up(pipe, ETIMEDOUT);
    }
    if (pipe->bytes)
        explicit_bzero(pipe->out, pipe->bytes); /* entropy, for example */
    pipe->bytes = 0;
    if (pipe->room > KEPT_BYTES) {
        free(pipe->out);
        pipe->out = NULL;
        pipe->room = 0;
    }
    e = pipe->e;
    pipe->e = 0;
    return e;
}

/* Try a transaction.  It is ended only when all of it is known to be there. */
static int try_transact(xenfork_ctx *ctx, xenfork__pipe_fill *fill,
                        const void *opaque)
{
    uint32_t transaction;
    int e, ended;

    put_request(ctx, XS_TRANSACTION_START, 0, "", 1, NULL, 0);
    e = xenfork__pipe_wait(ctx);
    if (e)
        return e;
    transaction = ctx->xen->pipe->started;
    fill(ctx, transaction, opaque);
    e = xenfork__pipe_wait(ctx);
    if (ctx->xen->pipe->fd < 0)
        return e; /* xenstored has forgotten it */
    put_request(ctx, XS_TRANSACTION_END, transaction, e ? "F" : "T", 2, NULL,
                0);
    ended = xenfork__pipe_wait(ctx);
    return e ? e : ended;
}

int xenfork__pipe_transact(xenfork_ctx *ctx, xenfork__pipe_fill *fill,
                           const void *opaque)
{
    uint32_t tries = 0;
    int e;

    do
        e = try_transact(ctx, fill, opaque);
    while (e == EAGAIN && ++tries < XENFORK__XS_TRIES);
    return e;
}

bool xenfork__pipe_is_there(xenfork_ctx *ctx)
{
    struct xenfork__pipe *pipe = use_pipe(ctx);

    pipe->e = 0;
    return pipe->fd >= 0;
}

struct xenfork__pipe *xenfork__pipe_new(void)
{
    struct xenfork__pipe *pipe = calloc(1, sizeof(*pipe));

    if (pipe)
        pipe->fd = -1;
    return pipe;
}

void xenfork__pipe_free(struct xenfork__pipe *pipe)
{
    if (!pipe)
        return;
    if (pipe->fd >= 0)
        close(pipe->fd);
    free(pipe->out);
    free(pipe);
}

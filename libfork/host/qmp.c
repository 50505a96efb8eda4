/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/qmp.h"

#include <inttypes.h>
#include <poll.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <yajl/yajl_gen.h>

#include "host/run.h"

#ifndef QMP_SOCKET /* a test has its own */
#define QMP_SOCKET "/var/run/xen/qmp-libxenstat-%" PRIu32
#endif
#define LIMIT_MS     30000U
#define MAX_BYTES    (4U << 20) /* of an answer */
#define MAX_MESSAGES 10000U     /* events before it */
#define MAX_DEPTH    64U        /* QEMU's own answers have less than 16 */

/* How far a session is. */
enum step {
    AT_GREETING,
    AT_CAPABILITIES,
    AT_EASE,
    AT_COMMAND
};

struct xenfork__qmp {
    int fd;
    uint32_t domid;
    enum step step;
    char *text; /* what has come, from the first line that is not read */
    size_t used, size;
};

void xenfork__qmp_hang_up(struct xenfork__qmp *qmp)
{
    int e = errno;

    if (!qmp)
        return;
    if (qmp->fd >= 0)
        close(qmp->fd);
    free(qmp->text);
    free(qmp);
    errno = e;
}

void xenfork__sys_qemu_close(xenfork_ctx *ctx)
{
    xenfork__qmp_hang_up(ctx->qmp);
    ctx->qmp = NULL;
}

bool xenfork__sys_qemu_is_there(uint32_t domid)
{
    char path[64];

    snprintf(path, sizeof(path), QMP_SOCKET, domid);
    return access(path, F_OK) == 0;
}

static int lost(xenfork_ctx *ctx, int errnoval, const char *what)
{
    uint32_t domid = ctx->qmp->domid;

    xenfork__sys_qemu_close(ctx);
    return xenfork__fail(ctx, XENFORK_E_DISK, errnoval, "QEMU of domain %u %s",
                         domid, what);
}

static bool make_line_room(struct xenfork__qmp *qmp)
{
    size_t size = qmp->size ? 2 * qmp->size : 16384;
    char *text;

    if (qmp->used + 1 < qmp->size)
        return true;
    if (size > MAX_BYTES)
        return false;
    text = realloc(qmp->text, size);
    if (!text)
        return false;
    qmp->text = text;
    qmp->size = size;
    return true;
}

/* Read until there is a whole line; return its length. */
static int read_reply(xenfork_ctx *ctx, uint64_t end_ns, size_t *bytes_out)
{
    struct xenfork__qmp *qmp = ctx->qmp;
    size_t seen = 0;
    const char *newline;
    ssize_t n;

    while (!(newline = qmp->used > seen
                           ? memchr(qmp->text + seen, '\n', qmp->used - seen)
                           : NULL)) {
        seen = qmp->used;
        if (!make_line_room(qmp))
            return lost(ctx, 0, "sends too long a reply");
        if (!xenfork__wait_fd(qmp->fd, POLLIN, end_ns))
            return lost(ctx, 0, "does not answer");
        n = read(qmp->fd, qmp->text + qmp->used, qmp->size - 1 - qmp->used);
        if (n < 0 && (errno == EINTR || errno == EAGAIN))
            continue;
        if (n <= 0)
            return lost(ctx, n < 0 ? errno : 0, "has gone away");
        qmp->used += (size_t)n;
    }
    *bytes_out = (size_t)(newline - qmp->text);
    return 0;
}

static yajl_val member(yajl_val object, const char *name)
{
    const char *path[] = {name, NULL};

    return yajl_tree_get(object, path, yajl_t_any);
}

/*
 * Tell whether a JSON is shallow: yajl frees a tree by recursion, and millions
 * of levels overflow the stack.
 */
static bool is_shallow(const char *text)
{
    bool is_string = false;
    uint32_t depth = 0;

    for (; *text; text++) {
        if (is_string) {
            if (*text == '\\' && text[1])
                text++;
            else if (*text == '"')
                is_string = false;
            continue;
        }
        is_string = *text == '"';
        if ((*text == '[' || *text == '{') && ++depth > MAX_DEPTH)
            return false;
        if ((*text == ']' || *text == '}') && depth)
            depth--;
    }
    return true;
}

/* Read the next message; caller frees. */
static int read_message(xenfork_ctx *ctx, uint64_t end_ns, yajl_val *out)
{
    struct xenfork__qmp *qmp = ctx->qmp;
    yajl_val message;
    size_t bytes = 0;
    int rc = read_reply(ctx, end_ns, &bytes);

    if (rc < 0)
        return rc;
    qmp->text[bytes] = '\0';
    message = is_shallow(qmp->text) ? yajl_tree_parse(qmp->text, NULL, 0)
                                    : NULL;
    qmp->used -= bytes + 1;
    memmove(qmp->text, qmp->text + bytes + 1, qmp->used);
    if (!message)
        return lost(ctx, 0, "sends a reply that is not JSON");
    *out = message;
    return 0;
}

static int write_command(xenfork_ctx *ctx, const char *text, uint64_t end_ns)
{
    size_t bytes = strlen(text);

    while (bytes) {
        ssize_t n = send(ctx->qmp->fd, text, bytes, MSG_NOSIGNAL);

        if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
            if (!xenfork__wait_fd(ctx->qmp->fd, POLLOUT, end_ns))
                return lost(ctx, 0, "does not read its commands");
            continue;
        }
        if (n < 0)
            return lost(ctx, errno, "has gone away");
        text += n;
        bytes -= (size_t)n;
    }
    return 0;
}

static int send_command(xenfork_ctx *ctx, const char *command,
                        const char *arguments, uint64_t end_ns)
{
    cleanup_free char *text = NULL;

    if (asprintf(&text, "{\"execute\":\"%s\",\"arguments\":%s}\n", command,
                 arguments ? arguments : "{}") < 0) {
        text = NULL;
        return xenfork__nomem(ctx);
    }
    return write_command(ctx, text, end_ns);
}

/* Tell an answer from an event. */
static bool is_answer(yajl_val message)
{
    return member(message, "return") || member(message, "error");
}

/* Send a command and read the answer, with "return" or "error" in it. */
static int converse(xenfork_ctx *ctx, const char *command,
                    const char *arguments, yajl_val *out)
{
    uint64_t end_ns = xenfork__now_ns() + LIMIT_MS * 1000000ULL;
    uint32_t i;
    int rc = send_command(ctx, command, arguments, end_ns);

    for (i = 0; rc == 0 && i < MAX_MESSAGES; i++) {
        cleanup_reply yajl_val message = NULL;

        rc = read_message(ctx, end_ns, &message);
        if (rc == 0 && is_answer(message)) {
            *out = steal_ptr(message);
            return 0;
        }
    }
    return rc < 0 ? rc : lost(ctx, 0, "does not answer");
}

/* Connect.  NOTFOUND, not logged: nobody listens any more. */
static int connect_to(xenfork_ctx *ctx, uint32_t domid)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct xenfork__qmp *qmp = calloc(1, sizeof(*qmp));

    if (!qmp)
        return xenfork__nomem(ctx);
    ctx->qmp = qmp;
    qmp->domid = domid;
    snprintf(address.sun_path, sizeof(address.sun_path), QMP_SOCKET, domid);
    qmp->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (qmp->fd < 0)
        return lost(ctx, errno, "cannot be used");
    if (connect(qmp->fd, (struct sockaddr *)&address, sizeof(address)) == 0)
        return 0;
    if (errno != ECONNREFUSED && errno != ENOENT)
        return lost(ctx, errno, "cannot be reached");
    xenfork__sys_qemu_close(ctx);
    return xenfork__miss(ctx, XENFORK_E_NOTFOUND, "QEMU of domain %u is gone",
                         domid);
}

/* Wait: another client that is served first (xentop) is soon done. */
static int open_session(xenfork_ctx *ctx, uint32_t domid)
{
    uint64_t end_ns = xenfork__now_ns() + LIMIT_MS * 1000000ULL;
    cleanup_reply yajl_val greeting = NULL;
    cleanup_reply yajl_val answer = NULL;
    int rc;

    if (ctx->qmp && ctx->qmp->domid == domid && ctx->qmp->step == AT_EASE)
        return 0;
    xenfork__sys_qemu_close(ctx);
    if ((rc = connect_to(ctx, domid)) < 0 ||
        (rc = read_message(ctx, end_ns, &greeting)) < 0)
        return rc;
    if (!member(greeting, "QMP"))
        return lost(ctx, 0, "does not speak QMP");
    rc = converse(ctx, "qmp_capabilities", NULL, &answer);
    if (rc == 0)
        ctx->qmp->step = AT_EASE;
    return rc;
}

/* Take the next message, if it has come. */
static int take_message(xenfork_ctx *ctx, yajl_val *out)
{
    struct xenfork__qmp *qmp = ctx->qmp;
    ssize_t n;

    while (!qmp->used || !memchr(qmp->text, '\n', qmp->used)) {
        if (!make_line_room(qmp))
            return lost(ctx, 0, "sends too long a reply");
        n = read(qmp->fd, qmp->text + qmp->used, qmp->size - 1 - qmp->used);
        if (n < 0 && errno == EAGAIN)
            return 0;
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return lost(ctx, n < 0 ? errno : 0, "has gone away");
        qmp->used += (size_t)n;
    }
    return read_message(ctx, 0, out);
}

/* Send what is to be sent at this point of the session. */
static int send_step(xenfork_ctx *ctx, enum step step, const char *command)
{
    uint64_t end_ns = xenfork__now_ns() + LIMIT_MS * 1000000ULL;

    ctx->qmp->step = step;
    return send_command(ctx, command, NULL, end_ns);
}

/* Take what has come: another message, and the answer if it is that. */
static int advance(xenfork_ctx *ctx, const char *command, bool *is_over_out,
                   yajl_val *reply_out)
{
    cleanup_reply yajl_val message = NULL;
    int rc = take_message(ctx, &message);

    *is_over_out = rc < 0 || !message;
    if (*is_over_out)
        return rc;
    if (ctx->qmp->step == AT_GREETING)
        return member(message, "QMP")
                   ? send_step(ctx, AT_CAPABILITIES, "qmp_capabilities")
                   : lost(ctx, 0, "does not speak QMP");
    if (!is_answer(message))
        return 0;
    if (ctx->qmp->step == AT_CAPABILITIES)
        return send_step(ctx, AT_COMMAND, command);
    ctx->qmp->step = AT_EASE;
    *is_over_out = true;
    *reply_out = steal_ptr(message);
    return 0;
}

int xenfork__qmp_poll(xenfork_ctx *ctx, uint32_t domid, const char *command,
                      yajl_val *reply_out)
{
    bool is_over = false;
    uint32_t i;
    int rc = 0;

    if (!ctx->qmp || ctx->qmp->domid != domid) {
        xenfork__sys_qemu_close(ctx);
        rc = connect_to(ctx, domid);
    } else if (ctx->qmp->step == AT_EASE) {
        rc = send_step(ctx, AT_COMMAND, command);
    }
    for (i = 0; rc == 0 && !is_over && i < MAX_MESSAGES; i++)
        rc = advance(ctx, command, &is_over, reply_out);
    return rc;
}

int xenfork__qmp_status(xenfork_ctx *ctx, uint32_t domid, char **status_out)
{
    static const char *const path[] = {"return", "status", NULL};
    cleanup_reply yajl_val reply = NULL;
    const char *status;
    int rc;

    *status_out = NULL;
    if (!xenfork__sys_qemu_is_there(domid))
        return 0;
    rc = xenfork__qmp_poll(ctx, domid, "query-status", &reply);
    if (rc < 0 || !reply)
        return rc == XENFORK_E_NOTFOUND ? 0 : rc;
    status = YAJL_GET_STRING(
        yajl_tree_get(reply, (const char **)(uintptr_t)path, yajl_t_string));
    if (status && !(*status_out = strdup(status)))
        return xenfork__nomem(ctx);
    return 0;
}

static int run_command(xenfork_ctx *ctx, uint32_t domid, const char *command,
                       const char *arguments, yajl_val *reply_out)
{
    static const char *const path[] = {"error", "desc", NULL};
    cleanup_reply yajl_val reply = NULL;
    uint64_t start_ns;
    const char *desc;
    int rc = open_session(ctx, domid);

    if (rc < 0)
        return rc;
    start_ns = xenfork__now_ns();
    rc = converse(ctx, command, arguments, &reply);
    if (rc < 0)
        return rc;
    LOG_DEBUG(ctx, "domain %u: QMP %s, %" PRIu64 " us", domid, command,
              (xenfork__now_ns() - start_ns) / 1000);
    if (!member(reply, "return")) {
        desc = YAJL_GET_STRING(yajl_tree_get(
            reply, (const char **)(uintptr_t)path, yajl_t_string));
        return xenfork__miss(ctx, XENFORK_E_DISK, "QEMU of domain %u: %s: %s",
                             domid, command, desc ? desc : "refused");
    }
    *reply_out = steal_ptr(reply);
    return 0;
}

int xenfork__qmp(xenfork_ctx *ctx, uint32_t domid, const char *command,
                 const char *arguments, yajl_val *reply_out)
{
    cleanup_reply yajl_val reply = NULL;
    bool was_made = false;
    int rc = run_command(ctx, domid, command, arguments, &reply);

    if (rc == 0 && reply_out)
        *reply_out = steal_ptr(reply);
    was_made = rc == XENFORK_E_DISK && ctx->qmp;
    if (was_made) {
        cleanup_free char *text = strdup(ctx->error.text);

        return xenfork__fail(ctx, rc, 0, "%s", text ? text : command);
    }
    return rc;
}

int xenfork__qmp_try(xenfork_ctx *ctx, uint32_t domid, const char *command,
                     const char *arguments)
{
    cleanup_reply yajl_val reply = NULL;

    return run_command(ctx, domid, command, arguments, &reply);
}

int xenfork__qmp_run(xenfork_ctx *ctx, uint32_t domid, const char *command,
                     const char *fmt, ...)
{
    cleanup_free char *arguments = NULL;
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vasprintf(&arguments, fmt, ap);
    va_end(ap);
    if (n < 0) {
        arguments = NULL;
        return xenfork__nomem(ctx);
    }
    return xenfork__qmp(ctx, domid, command, arguments, NULL);
}

char *xenfork__qmp_quote(const char *text)
{
    yajl_gen gen = yajl_gen_alloc(NULL);
    const unsigned char *quoted;
    char *copy = NULL;
    size_t bytes;

    if (gen &&
        yajl_gen_string(gen, (const unsigned char *)text, strlen(text)) ==
            yajl_gen_status_ok &&
        yajl_gen_get_buf(gen, &quoted, &bytes) == yajl_gen_status_ok)
        copy = strndup((const char *)quoted, bytes);
    if (gen)
        yajl_gen_free(gen);
    return copy;
}

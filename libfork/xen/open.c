/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Handles to Xen; libxl's operations; reading xenstore. */
#include "xen/handles.h"

#include "xen/pipe.h"
#include "xen/xen.h"

#include <dirent.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>

#define TURN_MS   5  /* until an ended child of libxl's is noticed */
#define TURN_FDS  256 /* libxl polls a handful for each operation */
#define PERM_HINT "run as root in the control domain"

static void drop_message(struct xentoollog_logger *logger,
                         xentoollog_level level, int errnoval,
                         const char *context, const char *format, va_list al)
    __attribute__((format(printf, 5, 0)));

static void drop_message(struct xentoollog_logger *logger,
                         xentoollog_level level, int errnoval,
                         const char *context, const char *format, va_list al)
{
    (void)logger;
    (void)level;
    (void)errnoval;
    (void)context;
    (void)format;
    (void)al;
}

static void drop_destroy(struct xentoollog_logger *logger)
{
    (void)logger;
}

/* Tell whether a descriptor is one of our locks, or the pipe to the keeper. */
static bool is_ours(const xenfork_ctx *ctx, const char *locks, int fd)
{
    char self[32], path[PATH_MAX];
    struct stat st;
    ssize_t n;

    if (fstat(fd, &st))
        return false;
    if (S_ISFIFO(st.st_mode))
        return st.st_ino == ctx->keeper;
    snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
    n = readlink(self, path, sizeof(path) - 1);
    if (n < 0)
        return false;
    path[n] = '\0';
    return !strncmp(path, locks, strlen(locks));
}

static void close_ours(const xenfork_ctx *ctx)
{
    char state[PATH_MAX], locks[PATH_MAX + 8];
    DIR *dir = opendir("/proc/self/fd");
    const struct dirent *entry;

    if (dir && realpath(ctx->state_dir, state)) {
        snprintf(locks, sizeof(locks), "%s/locks/", state);
        while ((entry = readdir(dir))) {
            int fd = atoi(entry->d_name);

            if (fd > STDERR_FILENO && is_ours(ctx, locks, fd))
                close(fd);
        }
    }
    if (dir)
        closedir(dir);
}

/*
 * Fork for libxl.  Between it and a device model a child of its own stays,
 * which executes nothing (libxl__spawn_spawn(), libxl_exec.c, 4.17).  If we are
 * killed, it must not seem that we live: it would hold our locks, and the pipe
 * whose end tells the keeper.
 */
static pid_t fork_without_ours(void *user)
{
    const xenfork_ctx *ctx = user;
    pid_t pid = fork();

    if (pid == 0)
        close_ours(ctx);
    return pid;
}

/*
 * With the default mode libxl installs a SIGCHLD handler and reaps every
 * child of the process; with "selective reap" the handler stays installed,
 * and libxl asserts that the caller has none (libxl_fork.c, 4.17).  A library
 * may do neither.  In this mode libxl waits for its own children, by pid and
 * without blocking, when libxl_childproc_sigchld_occurred() is called.
 */
static const libxl_childproc_hooks childproc_hooks = {
    .chldowner = libxl_sigchld_owner_mainloop,
    .fork_replacement = fork_without_ours,
};

static void disaster(void *user, libxl_event_type type, const char *msg,
                     int errnoval)
{
    xenfork_ctx *ctx = user;

    LOG_WARN(ctx, "libxl may miss events of type %d: %s (errno %d), ignoring",
             (int)type, msg, errnoval);
}

/* Without this libxl ends the process (libxl_event.h, 4.17). */
static const libxl_event_hooks event_hooks = {
    .disaster = disaster,
};

static int open_libxl(xenfork_ctx *ctx)
{
    struct xenfork__xen *xen = ctx->xen;
    int r;

    r = libxl_ctx_alloc(&xen->xl, LIBXL_VERSION, 0, xen->logger);
    if (r == ERROR_NOMEM)
        return xenfork__nomem(ctx);
    if (r) {
        xen->xl = NULL;
        return xenfork__fail(ctx, XENFORK_E_XEN, 0,
                             "cannot open libxl (libxl: %d)", r);
    }
    libxl_childproc_setmode(xen->xl, &childproc_hooks, ctx);
    libxl_event_register_callbacks(xen->xl, &event_hooks, ctx);
    return 0;
}

static int cannot_open(xenfork_ctx *ctx, int errnoval, const char *what)
{
    xenfork__fail(ctx, XENFORK_E_PERM, errnoval, "cannot open %s", what);
    return xenfork__remedy(ctx, PERM_HINT);
}

static int open_handles(xenfork_ctx *ctx)
{
    struct xenfork__xen *xen = ctx->xen;

    if (geteuid()) {
        xenfork__fail(ctx, XENFORK_E_PERM, 0, "only root can control domains");
        return xenfork__remedy(ctx, PERM_HINT);
    }
    xen->call = xencall_open(xen->logger, 0);
    if (!xen->call)
        return cannot_open(ctx, errno, "Xen's hypercall device");
    xen->fmem = xenforeignmemory_open(xen->logger, 0);
    if (!xen->fmem)
        return cannot_open(ctx, errno, "Xen's memory mapping device");
    xen->xch = xc_interface_open(xen->logger, xen->logger, 0);
    if (!xen->xch)
        return cannot_open(ctx, errno, "libxenctrl");
    xen->xs = xs_open(0);
    if (!xen->xs)
        return cannot_open(ctx, errno, "xenstore");
    xen->pipe = xenfork__pipe_new();
    if (!xen->pipe)
        return xenfork__nomem(ctx);
    return open_libxl(ctx);
}

int xenfork__xen_open(xenfork_ctx *ctx)
{
    struct xenfork__xen *xen = calloc(1, sizeof(*xen));
    int rc;

    if (!xen)
        return xenfork__nomem(ctx);
    xen->drop.vmessage = drop_message;
    xen->drop.destroy = drop_destroy;
    xen->logger = ctx->logger ? ctx->logger : &xen->drop;
    ctx->xen = xen;
    rc = open_handles(ctx);
    if (rc < 0)
        xenfork__xen_close(ctx);
    return rc;
}

void xenfork__xen_close(xenfork_ctx *ctx)
{
    struct xenfork__xen *xen = ctx->xen;

    if (!xen)
        return;
    libxl_ctx_free(xen->xl);
    xenfork__pipe_free(xen->pipe);
    if (xen->xs)
        xs_close(xen->xs);
    if (xen->xch)
        xc_interface_close(xen->xch);
    if (xen->fmem)
        xenforeignmemory_close(xen->fmem);
    if (xen->batch)
        xencall_free_buffer(xen->call, xen->batch);
    if (xen->call)
        xencall_close(xen->call);
    free(xen);
    ctx->xen = NULL;
}

static void op_done(libxl_ctx *xl, int rc, void *opaque)
{
    struct xenfork__op *op = opaque;

    (void)xl;
    op->rc = rc;
    op->is_done = true;
}

void xenfork__op_init(struct xenfork__op *op)
{
    memset(op, 0, sizeof(*op));
    op->how.callback = op_done;
    op->how.u.for_callback = op;
}

void xenfork__op_turn(xenfork_ctx *ctx)
{
    libxl_ctx *xl = ctx->xen->xl;
    struct pollfd fds[TURN_FDS];
    struct timeval now;
    int count = TURN_FDS, timeout_ms = TURN_MS;

    gettimeofday(&now, NULL);
    if (libxl_osevent_beforepoll(xl, &count, fds, &timeout_ms, now))
        count = 0;
    if (poll(fds, (nfds_t)count, timeout_ms) >= 0) {
        gettimeofday(&now, NULL);
        libxl_osevent_afterpoll(xl, count, fds, now);
    }
    libxl_childproc_sigchld_occurred(xl);
}

int xenfork__op_wait(xenfork_ctx *ctx, struct xenfork__op *op, int r)
{
    if (r)
        return r;
    while (!op->is_done)
        xenfork__op_turn(ctx);
    return op->rc;
}

int xenfork__op_done(xenfork_ctx *ctx, struct xenfork__op *op, int r,
                     const char *what, uint32_t domid)
{
    r = xenfork__op_wait(ctx, op, r);
    if (r)
        return xenfork__fail(ctx, XENFORK_E_XEN, 0,
                             "cannot %s domain %u (libxl: %d)", what, domid, r);
    return 0;
}

static char *make_path(xenfork_ctx *ctx, const char *fmt, va_list ap)
    __attribute__((format(printf, 2, 0)));

static char *make_path(xenfork_ctx *ctx, const char *fmt, va_list ap)
{
    char *path;

    xenfork__xs_count(ctx, 1);
    if (vasprintf(&path, fmt, ap) < 0) {
        errno = ENOMEM;
        return NULL;
    }
    return path;
}

char *xenfork__xs_read(xenfork_ctx *ctx, xs_transaction_t t, const char *fmt,
                       ...)
{
    cleanup_free char *path = NULL;
    va_list ap;

    va_start(ap, fmt);
    path = make_path(ctx, fmt, ap);
    va_end(ap);
    return path ? xs_read(ctx->xen->xs, t, path, NULL) : NULL;
}

char **xenfork__xs_list(xenfork_ctx *ctx, unsigned int *count_out,
                        const char *fmt, ...)
{
    cleanup_free char *path = NULL;
    va_list ap;

    va_start(ap, fmt);
    path = make_path(ctx, fmt, ap);
    va_end(ap);
    return path ? xs_directory(ctx->xen->xs, XBT_NULL, path, count_out) : NULL;
}

bool xenfork__xs_write(xenfork_ctx *ctx, xs_transaction_t t, const char *value,
                       const char *fmt, ...)
{
    cleanup_free char *path = NULL;
    va_list ap;

    va_start(ap, fmt);
    path = make_path(ctx, fmt, ap);
    va_end(ap);
    return path &&
           xs_write(ctx->xen->xs, t, path, value, (unsigned int)strlen(value));
}

bool xenfork__xs_rm(xenfork_ctx *ctx, const char *fmt, ...)
{
    cleanup_free char *path = NULL;
    va_list ap;

    va_start(ap, fmt);
    path = make_path(ctx, fmt, ap);
    va_end(ap);
    return path && (xs_rm(ctx->xen->xs, XBT_NULL, path) || errno == ENOENT);
}

int xenfork__xs_u32(xenfork_ctx *ctx, uint32_t *value_out, const char *fmt, ...)
{
    cleanup_free char *path = NULL;
    cleanup_free char *text = NULL;
    va_list ap;

    va_start(ap, fmt);
    path = make_path(ctx, fmt, ap);
    va_end(ap);
    if (!path)
        return -1;
    text = xs_read(ctx->xen->xs, XBT_NULL, path, NULL);
    if (!text)
        return errno == ENOENT ? 0 : -1;
    if (!xenfork__parse_u32(text, value_out)) {
        errno = EINVAL;
        return -1;
    }
    return 1;
}

uint32_t xenfork__own_domid(xenfork_ctx *ctx)
{
    struct xenfork__xen *xen = ctx->xen;

    /* A relative path: below our own directory.  Written by init-dom0. */
    if (!xen->has_own_domid &&
        xenfork__xs_u32(ctx, &xen->own_domid, "domid") == 1)
        xen->has_own_domid = true;
    return xen->has_own_domid ? xen->own_domid : 0;
}

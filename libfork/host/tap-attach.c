/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A disk and its tapdisk: behind a device, the kernel's nbd is its client; for
 * tapback it is a socket that tells which tapdisk it is.
 */
#include "host/tap.h"

#include <string.h>

#include "host/run.h"

static int allocate(xenfork_ctx *ctx, struct xenfork__tap *tap)
{
    static const char *const argv[] = {"tap-ctl", "allocate", NULL};

    return xenfork__tap_run(ctx, tap, argv);
}

static int spawn_tapdisk(xenfork_ctx *ctx, struct xenfork__tap *tap)
{
    static const char *const argv[] = {"tap-ctl", "spawn", NULL};
    int guard_fd = ctx->guard_fd, rc;

    /*
     * The process stays: if it had a journal's lock, nobody could undo that
     * journal.
     */
    ctx->guard_fd = -1;
    rc = xenfork__tap_run(ctx, tap, argv);
    ctx->guard_fd = guard_fd;
    return rc < 0 || xenfork__sys_tap_is_alive(&tap->tapdisk)
               ? rc
               : xenfork__fail(ctx, XENFORK_E_DISK, 0,
                               "tap-ctl has started no tapdisk");
}

static int open_disk(xenfork_ctx *ctx, struct xenfork__tap *tap,
                     const char *target, bool is_readonly)
{
    const char *const extra[] = {"-a", target, is_readonly ? "-R" : NULL, NULL};
    int rc = xenfork__tap_ctl(ctx, &tap->tapdisk, "attach", NULL);

    return rc < 0 ? rc : xenfork__tap_ctl(ctx, &tap->tapdisk, "open", extra);
}

/* Print the name of a socket, from which tapback takes pid and minor. */
static void print_socket(const struct xenfork__tap *tap,
                         char socket[XENFORK__TAP_NODE_BYTES])
{
    snprintf(socket, XENFORK__TAP_NODE_BYTES, XENFORK__TAP_CONTROL "/nbd%u.%d",
             tap->tapdisk.pid, tap->tapdisk.minor);
}

static int load_nbd(xenfork_ctx *ctx)
{
    static const char *const argv[] = {"modprobe", "nbd", NULL};

    return access("/sys/module/nbd", F_OK)
               ? xenfork__sys_run(ctx, XENFORK_E_DISK, argv, NULL)
               : 0;
}

/*
 * Connect nbd: the kernel has the connection, and chooses the device; no
 * process stays.  No time limit: while a tapdisk is paused its requests wait.
 * When it dies they fail.
 */
static int connect_nbd(xenfork_ctx *ctx, struct xenfork__tap *tap,
                       bool is_readonly)
{
    char socket[XENFORK__TAP_NODE_BYTES];
    const char *const argv[] = {"nbd-client", "-b",
                                "512",        "-unix",
                                socket,       is_readonly ? "-readonly" : NULL,
                                NULL};
    int rc;

    print_socket(tap, socket);
    rc = load_nbd(ctx);
    return rc < 0 ? rc : xenfork__tap_run(ctx, tap, argv);
}

static int put_up(xenfork_ctx *ctx, struct xenfork__tap *tap,
                  const char *target, unsigned int flags)
{
    bool is_readonly = flags & XENFORK__TAP_READONLY;
    int rc;

    if ((rc = allocate(ctx, tap)) < 0 || (rc = spawn_tapdisk(ctx, tap)) < 0 ||
        (rc = open_disk(ctx, tap, target, is_readonly)) < 0)
        return rc;
    if (!(flags & XENFORK__TAP_SOCKET))
        return connect_nbd(ctx, tap, is_readonly);
    print_socket(tap, tap->node);
    return xenfork__tap_write(ctx, tap);
}

static int in_use(xenfork_ctx *ctx, const char *target,
                  const struct xenfork__tap *tap)
{
    xenfork__fail(ctx, XENFORK_E_INUSE, 0, "%s is attached already: %s, for %s",
                  target, tap->node, tap->user);
    return xenfork__remedy(ctx, "if no domain uses it: xenfork-block detach %s",
                           target);
}

/* Lock an empty record of this device. */
static int claim_record(xenfork_ctx *ctx, const char *target, const char *user,
                        bool is_readonly, struct xenfork__tap *tap)
{
    const char *path = target + strlen(XENFORK__VHD_PREFIX);
    const char *reader = is_readonly ? user : NULL;
    int rc = xenfork__tap_hold(ctx, path, reader, true, tap);

    if (rc < 0)
        return rc;
    if (tap->node[0] && !tap->is_unfinished &&
        xenfork__sys_tap_is_alive(&tap->tapdisk))
        return in_use(ctx, target, tap);
    if (tap->user[0]) {
        /* The process that made it was killed, or tapdisk was. */
        rc = xenfork__tap_remove(ctx, tap);
        xenfork__tap_drop(tap);
        if (rc == 0)
            rc = xenfork__tap_hold(ctx, path, reader, true, tap);
    }
    if (rc < 0)
        return rc;
    if ((size_t)snprintf(tap->user, sizeof(tap->user), "%s", user) >=
        sizeof(tap->user))
        return xenfork__fail(ctx, XENFORK_E_INVAL, 0, "no such device: %s",
                             user);
    return xenfork__tap_write(ctx, tap);
}

int xenfork__sys_tap_attach(xenfork_ctx *ctx, const char *path,
                            const char *user, unsigned int flags,
                            char **node_out)
{
    cleanup_tap struct xenfork__tap tap = {.fd = -1};
    cleanup_free char *target = NULL;
    char *node;
    int rc;

    if (asprintf(&target, XENFORK__VHD_PREFIX "%s", path) < 0) {
        target = NULL;
        return xenfork__nomem(ctx);
    }
    rc = claim_record(ctx, target, user, flags & XENFORK__TAP_READONLY, &tap);
    if (rc < 0)
        return rc;
    rc = put_up(ctx, &tap, target, flags);
    node = rc == 0 ? strdup(tap.node) : NULL;
    if (node)
        *node_out = node;
    else
        xenfork__tap_remove(ctx, &tap);
    return rc == 0 && !node ? xenfork__nomem(ctx) : rc;
}

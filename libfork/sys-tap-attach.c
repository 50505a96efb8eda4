/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A disk behind a device: tapdisk serves it, the kernel's nbd is its client. */
#include "sys-tap.h"

#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#include "sys-run.h"

#define CONTROL "/run/blktap-control"
#define MINORS  CONTROL "/tapdisk/tapdisk-"
#define SHM     "/dev/shm"
#define NBD     "/dev/nbd"
#define END_MS  10000U /* for a tapdisk that has nothing to do any more */

static int allocate(xenfork_ctx *ctx, struct xenfork__tap *tap)
{
    static const char *const argv[] = {"tap-ctl", "allocate", NULL};
    cleanup_free char *output = NULL;
    int rc = xenfork__sys_run(ctx, XENFORK_E_DISK, argv, &output);

    if (rc < 0)
        return rc;
    if (sscanf(output, MINORS "%d", &tap->minor) != 1 || tap->minor < 0)
        return xenfork__fail(ctx, XENFORK_E_DISK, 0,
                             "tap-ctl does not say what it has allocated");
    return xenfork__tap_write(ctx, tap);
}

static int spawn(xenfork_ctx *ctx, struct xenfork__tap *tap)
{
    static const char *const argv[] = {"tap-ctl", "spawn", NULL};
    cleanup_free char *output = NULL;
    int rc = xenfork__sys_run(ctx, XENFORK_E_DISK, argv, &output);

    if (rc < 0)
        return rc;
    if (sscanf(output, "%u", &tap->pid) != 1 || !xenfork__tap_is_alive(tap))
        return xenfork__fail(ctx, XENFORK_E_DISK, 0,
                             "tap-ctl has started no tapdisk");
    return xenfork__tap_write(ctx, tap);
}

static int open_disk(xenfork_ctx *ctx, struct xenfork__tap *tap,
                     const char *target, bool is_readonly)
{
    const char *const extra[] = {"-a", target, is_readonly ? "-R" : NULL, NULL};
    int rc = xenfork__tap_ctl(ctx, tap, "attach", NULL);

    return rc < 0 ? rc : xenfork__tap_ctl(ctx, tap, "open", extra);
}

static int load_nbd(xenfork_ctx *ctx)
{
    static const char *const argv[] = {"modprobe", "nbd", NULL};

    return access("/sys/module/nbd", F_OK)
               ? xenfork__sys_run(ctx, XENFORK_E_DISK, argv, NULL)
               : 0;
}

/*
 * The kernel has the connection, and chooses the device; no process stays.
 * No time limit: while a tapdisk is paused its requests wait.  When it dies
 * they fail.
 */
static int connect_nbd(xenfork_ctx *ctx, struct xenfork__tap *tap,
                       bool is_readonly)
{
    char socket[64];
    const char *const argv[] = {"nbd-client", "-b",
                                "512",        "-unix",
                                socket,       is_readonly ? "-readonly" : NULL,
                                NULL};
    cleanup_free char *output = NULL;
    const char *node;
    unsigned int n;
    int rc;

    snprintf(socket, sizeof(socket), CONTROL "/nbd%u.%d", tap->pid, tap->minor);
    if ((rc = load_nbd(ctx)) < 0 ||
        (rc = xenfork__sys_run(ctx, XENFORK_E_DISK, argv, &output)) < 0)
        return rc;
    node = strstr(output, NBD);
    if (!node || sscanf(node, NBD "%u", &n) != 1)
        return xenfork__fail(ctx, XENFORK_E_DISK, 0,
                             "nbd-client does not say what it has connected");
    snprintf(tap->node, sizeof(tap->node), NBD "%u", n);
    return xenfork__tap_write(ctx, tap);
}

static int disconnect_nbd(xenfork_ctx *ctx, const struct xenfork__tap *tap)
{
    const char *const argv[] = {"nbd-client", "-d", tap->node, NULL};
    char connected[64];

    if (!tap->node[0])
        return 0;
    snprintf(connected, sizeof(connected), "/sys/block/%s/pid",
             tap->node + strlen("/dev/"));
    return access(connected, F_OK)
               ? 0
               : xenfork__sys_run(ctx, XENFORK_E_DISK, argv, NULL);
}

static bool wait_end(const struct xenfork__tap *tap)
{
    uint64_t end_ns = xenfork__now_ns() + END_MS * 1000000ULL;

    while (xenfork__tap_is_alive(tap)) {
        if (xenfork__now_ns() > end_ns)
            return false;
        usleep(2000);
    }
    return true;
}

/* It ends by itself with its only disk; a killed one leaves its disk whole. */
static int end_tapdisk(xenfork_ctx *ctx, const struct xenfork__tap *tap)
{
    if (!xenfork__tap_is_alive(tap))
        return 0;
    if (xenfork__tap_ctl(ctx, tap, "close", NULL) == 0 &&
        xenfork__tap_ctl(ctx, tap, "detach", NULL) == 0 && wait_end(tap))
        return 0;
    LOG_WARN(ctx, "killing tapdisk %u, which does not end, ignoring", tap->pid);
    kill((pid_t)tap->pid, SIGKILL);
    return wait_end(tap) ? 0
                         : xenfork__fail(ctx, XENFORK_E_DISK, 0,
                                         "tapdisk %u does not end", tap->pid);
}

/* What a killed tapdisk leaves. */
static void remove_traces(const struct xenfork__tap *tap)
{
    static const char *const of_disk[] = {
        CONTROL "/nbd",
        CONTROL "/nbd-old",
        CONTROL "/nbdserver",
        CONTROL "/nbdserver-new",
    };
    static const char *const shared[] = {"vdi", "nbd", "nbd-old"};
    char path[96];
    size_t i;

    for (i = 0; i < ARRAY_SIZE(of_disk); i++) {
        snprintf(path, sizeof(path), "%s%u.%d", of_disk[i], tap->pid,
                 tap->minor);
        unlink(path);
    }
    for (i = 0; i < ARRAY_SIZE(shared); i++) {
        snprintf(path, sizeof(path), SHM "/td3-%u/%s-%d", tap->pid, shared[i],
                 tap->minor);
        unlink(path);
    }
    snprintf(path, sizeof(path), SHM "/td3-%u", tap->pid);
    rmdir(path);
    snprintf(path, sizeof(path), SHM "/metrics/tap-%u-%d", tap->pid,
             tap->minor);
    unlink(path);
    snprintf(path, sizeof(path), CONTROL "/ctl%u", tap->pid);
    unlink(path);
    snprintf(path, sizeof(path), CONTROL "/nbdclient%u", tap->pid);
    unlink(path);
}

static int free_minor(xenfork_ctx *ctx, const struct xenfork__tap *tap)
{
    char minor[12], marker[64];
    const char *const argv[] = {"tap-ctl", "free", "-m", minor, NULL};

    snprintf(minor, sizeof(minor), "%d", tap->minor);
    snprintf(marker, sizeof(marker), MINORS "%d", tap->minor);
    return tap->minor < 0 || access(marker, F_OK)
               ? 0
               : xenfork__sys_run(ctx, XENFORK_E_DISK, argv, NULL);
}

/* Whatever there is of it; the record goes last. */
static int take_down(xenfork_ctx *ctx, struct xenfork__tap *tap)
{
    int rc;

    if ((rc = disconnect_nbd(ctx, tap)) < 0 || (rc = end_tapdisk(ctx, tap)) < 0)
        return rc;
    if (tap->pid)
        remove_traces(tap);
    rc = free_minor(ctx, tap);
    if (rc == 0)
        unlink(tap->file);
    return rc;
}

static int put_up(xenfork_ctx *ctx, struct xenfork__tap *tap,
                  const char *target, bool is_readonly)
{
    int rc;

    if ((rc = allocate(ctx, tap)) < 0 || (rc = spawn(ctx, tap)) < 0 ||
        (rc = open_disk(ctx, tap, target, is_readonly)) < 0)
        return rc;
    return connect_nbd(ctx, tap, is_readonly);
}

static int in_use(xenfork_ctx *ctx, const char *target,
                  const struct xenfork__tap *tap)
{
    xenfork__fail(ctx, XENFORK_E_INUSE, 0, "%s is attached already: %s, for %s",
                  target, tap->node, tap->user);
    return xenfork__remedy(ctx, "if nobody has it: xenfork-block detach %s",
                           target);
}

/* An empty record of this device's, held. */
static int claim(xenfork_ctx *ctx, const char *target, const char *user,
                 bool is_readonly, struct xenfork__tap *tap)
{
    const char *path = target + strlen(XENFORK__VHD_PREFIX);
    const char *reader = is_readonly ? user : NULL;
    int rc = xenfork__tap_hold(ctx, path, reader, true, tap);

    if (rc < 0)
        return rc;
    if (tap->node[0] && xenfork__tap_is_alive(tap))
        return in_use(ctx, target, tap);
    if (tap->user[0]) {
        /* Whoever made it was killed, or tapdisk was. */
        rc = take_down(ctx, tap);
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
                            const char *user, bool is_readonly, char **node_out)
{
    cleanup_tap struct xenfork__tap tap = {.fd = -1};
    cleanup_free char *target = NULL;
    char *node;
    int rc;

    if (asprintf(&target, XENFORK__VHD_PREFIX "%s", path) < 0) {
        target = NULL;
        return xenfork__nomem(ctx);
    }
    rc = claim(ctx, target, user, is_readonly, &tap);
    if (rc < 0)
        return rc;
    rc = put_up(ctx, &tap, target, is_readonly);
    node = rc == 0 ? strdup(tap.node) : NULL;
    if (node)
        *node_out = node;
    else
        take_down(ctx, &tap);
    return rc == 0 && !node ? xenfork__nomem(ctx) : rc;
}

static int detach_record(xenfork_ctx *ctx, const char *path, const char *reader,
                         const char *user)
{
    cleanup_tap struct xenfork__tap tap = {.fd = -1};
    int rc = xenfork__tap_hold(ctx, path, reader, false, &tap);

    if (rc == XENFORK_E_NOTFOUND)
        return 0;
    if (rc < 0 || (user && strcmp(tap.user, user) != 0))
        return rc;
    return take_down(ctx, &tap);
}

int xenfork__sys_tap_detach(xenfork_ctx *ctx, const char *path,
                            const char *user)
{
    int rc = user ? detach_record(ctx, path, user, user) : 0;

    return rc < 0 ? rc : detach_record(ctx, path, NULL, user);
}

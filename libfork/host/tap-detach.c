/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The end of what serves a disk: device, tapdisk, minor, record. */
#include "host/tap.h"

#include <inttypes.h>
#include <signal.h>
#include <string.h>

#include "host/run.h"

#define CONTROL XENFORK__TAP_CONTROL
#define MINORS  CONTROL "/tapdisk/tapdisk-"
#define SHM     "/dev/shm"
#define DEVICE  "/dev/"
#define END_MS  10000U /* for a tapdisk that has nothing to do any more */
#define POLL_NS 2000000U

static int disconnect_nbd(xenfork_ctx *ctx, const struct xenfork__tap *tap)
{
    const char *const argv[] = {"nbd-client", "-d", tap->node, NULL};
    char connected[64];

    if (strncmp(tap->node, DEVICE, strlen(DEVICE)) != 0)
        return 0;
    snprintf(connected, sizeof(connected), "/sys/block/%s/pid",
             tap->node + strlen(DEVICE));
    return access(connected, F_OK)
               ? 0
               : xenfork__sys_run(ctx, XENFORK_E_DISK, argv, NULL);
}

static bool wait_tapdisk(const struct xenfork__tap *tap)
{
    uint64_t end_ns = xenfork__now_ns() + END_MS * 1000000ULL;

    while (xenfork__sys_tap_is_alive(&tap->tapdisk)) {
        if (xenfork__now_ns() > end_ns)
            return false;
        xenfork__sleep_ns(POLL_NS);
    }
    return true;
}

/*
 * Wait for it: a tapdisk ends by itself with its only disk; killing it does not
 * harm the disk.
 */
static int end_tapdisk(xenfork_ctx *ctx, const struct xenfork__tap *tap)
{
    if (!xenfork__sys_tap_is_alive(&tap->tapdisk))
        return 0;
    if (xenfork__tap_ctl(ctx, &tap->tapdisk, "close", NULL) == 0 &&
        xenfork__tap_ctl(ctx, &tap->tapdisk, "detach", NULL) == 0 &&
        wait_tapdisk(tap))
        return 0;
    /* The pid alone may be that of another process by now. */
    if (!tap->tapdisk.started || !xenfork__sys_tap_is_alive(&tap->tapdisk))
        return xenfork__sys_tap_is_alive(&tap->tapdisk)
                   ? xenfork__fail(ctx, XENFORK_E_DISK, 0,
                                   "tapdisk %u does not end", tap->tapdisk.pid)
                   : 0;
    LOG_WARN(ctx, "killing tapdisk %u, which does not end, ignoring",
             tap->tapdisk.pid);
    kill((pid_t)tap->tapdisk.pid, SIGKILL);
    return wait_tapdisk(tap)
               ? 0
               : xenfork__fail(ctx, XENFORK_E_DISK, 0,
                               "tapdisk %u does not end", tap->tapdisk.pid);
}

/* Remove what the tapdisk has of a domain's ring. */
static void remove_ring(const struct xenfork__tap *tap)
{
    static const char *const files[] = {"/io_ring", "/statistics", ""};
    uint32_t domid, devid;
    char path[96];
    size_t i;

    if (sscanf(tap->user, "backend/vbd3/%" SCNu32 "/%" SCNu32, &domid,
               &devid) != 2)
        return;
    snprintf(path, sizeof(path), SHM "/td3-%u/vbd-%" PRIu32 "-%" PRIu32,
             tap->tapdisk.pid, domid, devid);
    remove(path);
    for (i = 0; i < ARRAY_SIZE(files); i++) {
        snprintf(path, sizeof(path), SHM "/vbd3-%" PRIu32 "-%" PRIu32 "%s",
                 domid, devid, files[i]);
        remove(path);
    }
}

/* Remove what a killed tapdisk leaves. */
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

    remove_ring(tap);
    for (i = 0; i < ARRAY_SIZE(of_disk); i++) {
        snprintf(path, sizeof(path), "%s%u.%d", of_disk[i], tap->tapdisk.pid,
                 tap->tapdisk.minor);
        unlink(path);
    }
    for (i = 0; i < ARRAY_SIZE(shared); i++) {
        snprintf(path, sizeof(path), SHM "/td3-%u/%s-%d", tap->tapdisk.pid,
                 shared[i], tap->tapdisk.minor);
        unlink(path);
    }
    snprintf(path, sizeof(path), SHM "/td3-%u", tap->tapdisk.pid);
    rmdir(path);
    snprintf(path, sizeof(path), SHM "/metrics/tap-%u-%d", tap->tapdisk.pid,
             tap->tapdisk.minor);
    unlink(path);
    snprintf(path, sizeof(path), CONTROL "/ctl%u", tap->tapdisk.pid);
    unlink(path);
    snprintf(path, sizeof(path), CONTROL "/nbdclient%u", tap->tapdisk.pid);
    unlink(path);
}

static int free_minor(xenfork_ctx *ctx, const struct xenfork__tap *tap)
{
    char minor[12], marker[64];
    const char *const argv[] = {"tap-ctl", "free", "-m", minor, NULL};

    snprintf(minor, sizeof(minor), "%d", tap->tapdisk.minor);
    snprintf(marker, sizeof(marker), MINORS "%d", tap->tapdisk.minor);
    return tap->tapdisk.minor < 0 || access(marker, F_OK)
               ? 0
               : xenfork__sys_run(ctx, XENFORK_E_DISK, argv, NULL);
}

int xenfork__tap_remove(xenfork_ctx *ctx, const struct xenfork__tap *tap)
{
    int rc;

    if ((rc = disconnect_nbd(ctx, tap)) < 0 || (rc = end_tapdisk(ctx, tap)) < 0)
        return rc;
    if (tap->tapdisk.pid)
        remove_traces(tap);
    rc = free_minor(ctx, tap);
    if (rc == 0)
        unlink(tap->file);
    return rc;
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
    return xenfork__tap_remove(ctx, &tap);
}

int xenfork__sys_tap_detach(xenfork_ctx *ctx, const char *path,
                            const char *user)
{
    int rc = user ? detach_record(ctx, path, user, user) : 0;

    return rc < 0 ? rc : detach_record(ctx, path, NULL, user);
}

int xenfork__sys_tap_release(xenfork_ctx *ctx, const char *path, uint32_t domid)
{
    cleanup_tap struct xenfork__tap tap = {.fd = -1};
    int rc = xenfork__tap_hold(ctx, path, NULL, false, &tap);
    uint32_t user;

    if (rc == XENFORK_E_NOTFOUND)
        return 0;
    if (rc < 0 || !xenfork__tap_domid(&tap, &user) || user != domid)
        return rc;
    return xenfork__tap_remove(ctx, &tap);
}

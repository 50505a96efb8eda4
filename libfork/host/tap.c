/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tapdisks that serve a disk: which one does, pause and resume. */
#include "host/tap.h"

#include <inttypes.h>
#include <string.h>

#include "host/run.h"

#define NUMBER      12U
#define MAX_EXTRA   4U
#define TAP_PAUSED  0x20U /* TD_VBD_PAUSED, blktap's tapdisk-vbd.h */
#define TAP_PAUSING 0x10U /* TD_VBD_PAUSE_REQUESTED */

/* Parse "backend/vbd3/3/51712" */
bool xenfork__tap_domid(const struct xenfork__tap *tap, uint32_t *domid_out)
{
    return sscanf(tap->user, "backend/%*[^/]/%" SCNu32 "/", domid_out) == 1;
}

int xenfork__tap_ctl(xenfork_ctx *ctx, const struct xenfork__tapdisk *tapdisk,
                     const char *verb, const char *const extra[])
{
    char pid[NUMBER], minor[NUMBER];
    const char *argv[6 + MAX_EXTRA + 1] = {"tap-ctl", verb, "-p",
                                           pid,       "-m", minor};
    size_t i;

    snprintf(pid, sizeof(pid), "%u", tapdisk->pid);
    snprintf(minor, sizeof(minor), "%d", tapdisk->minor);
    for (i = 0; extra && extra[i] && i < MAX_EXTRA; i++)
        argv[6 + i] = extra[i];
    return xenfork__sys_run(ctx, XENFORK_E_DISK, argv, NULL);
}

int xenfork__sys_tap_pause(xenfork_ctx *ctx,
                           const struct xenfork__tapdisk *tapdisk)
{
    return xenfork__tap_ctl(ctx, tapdisk, "pause", NULL);
}

int xenfork__sys_tap_resume(xenfork_ctx *ctx,
                            const struct xenfork__tapdisk *tapdisk)
{
    return xenfork__tap_ctl(ctx, tapdisk, "unpause", NULL);
}

/* Parse "pid=264 minor=0 state=0x2a args=vhd:/srv/web.vhd" */
int xenfork__sys_tap_is_paused(xenfork_ctx *ctx,
                               const struct xenfork__tapdisk *tapdisk,
                               bool *is_paused_out)
{
    cleanup_free char *output = NULL;
    char number[NUMBER], minor[NUMBER];
    const char *const argv[] = {"tap-ctl", "list", "-p", number,
                                "-m",      minor,  NULL};
    unsigned int state, pid;
    int rc, n;

    snprintf(number, sizeof(number), "%u", tapdisk->pid);
    snprintf(minor, sizeof(minor), "%d", tapdisk->minor);
    rc = xenfork__sys_run(ctx, XENFORK_E_DISK, argv, &output);
    if (rc < 0)
        return rc;
    if (sscanf(output, "pid=%u minor=%d state=%x", &pid, &n, &state) != 3 ||
        pid != tapdisk->pid || n != tapdisk->minor)
        return xenfork__fail(ctx, XENFORK_E_DISK, 0,
                             "tap-ctl does not show the state of tapdisk %u",
                             tapdisk->pid);
    *is_paused_out = state & (TAP_PAUSED | TAP_PAUSING);
    return 0;
}

/* Unlock its record as soon as @tap is freed. */
static int find_tap(xenfork_ctx *ctx, const char *path,
                    struct xenfork__tap *tap)
{
    int rc = xenfork__tap_hold(ctx, path, NULL, false, tap);

    if (rc == 0 && !xenfork__sys_tap_is_alive(&tap->tapdisk))
        rc = xenfork__miss(ctx, XENFORK_E_NOTFOUND, "no tapdisk serves %s",
                           path);
    return rc;
}

int xenfork__sys_tap_find(xenfork_ctx *ctx, const char *path,
                          struct xenfork__tapdisk *tapdisk_out)
{
    cleanup_tap struct xenfork__tap tap = {.fd = -1};
    int rc = find_tap(ctx, path, &tap);

    if (rc == 0)
        *tapdisk_out = tap.tapdisk;
    return rc;
}

int xenfork__sys_tap_status(xenfork_ctx *ctx, const char *path, char **text_out)
{
    cleanup_tap struct xenfork__tap tap = {.fd = -1};
    int rc = find_tap(ctx, path, &tap);

    if (rc == 0 &&
        asprintf(text_out, "%s: tapdisk %u, minor %d, for %s", tap.node,
                 tap.tapdisk.pid, tap.tapdisk.minor, tap.user) < 0)
        rc = xenfork__nomem(ctx);
    return rc;
}

int xenfork__sys_tap_user(xenfork_ctx *ctx, const char *path, char **user_out)
{
    cleanup_tap struct xenfork__tap tap = {.fd = -1};
    int rc = find_tap(ctx, path, &tap);

    if (rc == 0 && !(*user_out = strdup(tap.user)))
        rc = xenfork__nomem(ctx);
    return rc;
}

int xenfork__sys_tap_domain(xenfork_ctx *ctx, const char *path,
                            uint32_t *domid_out)
{
    cleanup_tap struct xenfork__tap tap = {.fd = -1};
    int rc = xenfork__tap_hold(ctx, path, NULL, false, &tap);
    uint32_t domid;

    if (rc < 0)
        return rc;
    if (!xenfork__tap_domid(&tap, &domid))
        return xenfork__miss(ctx, XENFORK_E_NOTFOUND, "no domain has %s", path);
    *domid_out = domid;
    return 0;
}

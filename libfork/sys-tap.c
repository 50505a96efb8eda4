/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tapdisks that serve a disk: which one does, pause and resume. */
#include "sys-tap.h"

#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "files.h"
#include "sys-run.h"

#define DIR         "/run/xenfork/tap"
#define MAX_LINE    160U
#define NONE        "-"
#define NO_TAPDISK  ((struct xenfork__tapdisk){.minor = -1})
#define NUMBER      12U
#define MAX_EXTRA   4U
#define TAP_PAUSED  0x20U /* TD_VBD_PAUSED, blktap's tapdisk-vbd.h */
#define TAP_PAUSING 0x10U /* TD_VBD_PAUSE_REQUESTED */

/* One way to call each file, even when it is gone.  NULL: none */
static char *canonical(const char *path)
{
    cleanup_free char *dir = NULL;
    const char *slash = strrchr(path, '/');
    char *real = realpath(path, NULL);

    if (real || !slash)
        return real;
    dir = strndup(path, (size_t)(slash - path) + 1);
    real = dir ? realpath(dir, NULL) : NULL;
    free(dir);
    dir = real;
    return dir && asprintf(&real, "%s%s", dir, slash) >= 0 ? real : NULL;
}

/* "!srv!web.vhd", "!srv!ro.vhd@backend!vbd!3!51712" */
static int name_record(xenfork_ctx *ctx, const char *path, const char *reader,
                       char **file_out)
{
    cleanup_free char *real = canonical(path);
    char *p;

    if (!real)
        return xenfork__miss(ctx, XENFORK_E_NOTFOUND, "no file %s", path);
    if (asprintf(file_out, DIR "/%s%s%s", real, reader ? "@" : "",
                 reader ? reader : "") < 0) {
        *file_out = NULL;
        return xenfork__nomem(ctx);
    }
    for (p = *file_out + strlen(DIR "/"); *p; p++)
        if (*p == '/')
            *p = '!';
    return 0;
}

static int unreadable(xenfork_ctx *ctx, const struct xenfork__tap *tap)
{
    return xenfork__fail(ctx, XENFORK_E_STATE, errno, "cannot use %s",
                         tap->file);
}

/* Whoever held it may have removed it meanwhile. */
static int open_record(xenfork_ctx *ctx, int flags, struct xenfork__tap *tap)
{
    struct stat held, named;

    for (;;) {
        tap->fd = open(tap->file, O_RDWR | O_CLOEXEC | flags, 0600);
        if (tap->fd < 0 && errno == ENOENT)
            return xenfork__miss(ctx, XENFORK_E_NOTFOUND, "no %s", tap->file);
        if (tap->fd < 0 || flock(tap->fd, LOCK_EX) || fstat(tap->fd, &held))
            return unreadable(ctx, tap);
        if (!stat(tap->file, &named) && named.st_dev == held.st_dev &&
            named.st_ino == held.st_ino)
            return 0;
        close(tap->fd);
        tap->fd = -1;
    }
}

/* An empty one is as its maker has left it who was killed. */
static int read_record(xenfork_ctx *ctx, struct xenfork__tap *tap)
{
    char line[MAX_LINE + 1];
    ssize_t n = pread(tap->fd, line, MAX_LINE, 0);

    if (n < 0)
        return unreadable(ctx, tap);
    line[n] = '\0';
    tap->tapdisk = NO_TAPDISK;
    if (n && sscanf(line, "%u %d %63s %63s", &tap->tapdisk.pid,
                    &tap->tapdisk.minor, tap->node, tap->user) != 4)
        return xenfork__fail(ctx, XENFORK_E_STATE, 0, "%s is malformed",
                             tap->file);
    if (!strcmp(tap->node, NONE))
        tap->node[0] = '\0';
    return 0;
}

int xenfork__tap_hold(xenfork_ctx *ctx, const char *path, const char *reader,
                      bool is_new, struct xenfork__tap *tap)
{
    int rc;

    *tap = (struct xenfork__tap){.fd = -1, .tapdisk = NO_TAPDISK};
    if ((rc = name_record(ctx, path, reader, &tap->file)) < 0 ||
        (is_new && (rc = xenfork__make_dir(ctx, DIR)) < 0) ||
        (rc = open_record(ctx, is_new ? O_CREAT : 0, tap)) < 0)
        return rc;
    return read_record(ctx, tap);
}

int xenfork__tap_write(xenfork_ctx *ctx, const struct xenfork__tap *tap)
{
    char line[MAX_LINE];
    int n = snprintf(line, sizeof(line), "%u %d %s %s\n", tap->tapdisk.pid,
                     tap->tapdisk.minor, tap->node[0] ? tap->node : NONE,
                     tap->user);

    if (pwrite(tap->fd, line, (size_t)n, 0) != n || ftruncate(tap->fd, n))
        return unreadable(ctx, tap);
    return 0;
}

void xenfork__tap_drop(struct xenfork__tap *tap)
{
    xenfork__close_fd(&tap->fd);
    xenfork__free_ptr(&tap->file);
    tap->fd = -1;
    tap->file = NULL;
}

bool xenfork__sys_tap_is_alive(const struct xenfork__tapdisk *tapdisk)
{
    char file[32], name[16] = "";
    cleanup_file FILE *f = NULL;

    if (!tapdisk->pid)
        return false;
    snprintf(file, sizeof(file), "/proc/%u/comm", tapdisk->pid);
    f = fopen(file, "re");
    return f && fgets(name, sizeof(name), f) && !strcmp(name, "tapdisk\n");
}

/* "backend/vbd3/3/51712" */
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

/* "pid=264 minor=0 state=0x2a args=vhd:/srv/web.vhd" */
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
                             "tap-ctl does not say how tapdisk %u is",
                             tapdisk->pid);
    *is_paused_out = state & (TAP_PAUSED | TAP_PAUSING);
    return 0;
}

/* Its record is not held any longer than @tap is. */
static int find(xenfork_ctx *ctx, const char *path, struct xenfork__tap *tap)
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
    int rc = find(ctx, path, &tap);

    if (rc == 0)
        *tapdisk_out = tap.tapdisk;
    return rc;
}

int xenfork__sys_tap_status(xenfork_ctx *ctx, const char *path, char **text_out)
{
    cleanup_tap struct xenfork__tap tap = {.fd = -1};
    int rc = find(ctx, path, &tap);

    if (rc == 0 &&
        asprintf(text_out, "%s: tapdisk %u, minor %d, for %s", tap.node,
                 tap.tapdisk.pid, tap.tapdisk.minor, tap.user) < 0)
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

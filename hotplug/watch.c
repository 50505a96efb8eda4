/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Makes a pool larger before its devices need it.  Whoever puts a pool into
 * use starts this, and the kernel ends it: the pool goes, and so does the wait.
 */
#include "target.h"

#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <syslog.h>
#include <time.h>

#include "thin-pool.h"
#include "thin.h"

#define RETRY_S 1 /* while its file system is full */

/* A pool that has gone meanwhile is no failure. */
static int grow(xenfork_ctx *ctx, const char *dir, const char *pool)
{
    cleanup_lock struct xenfork__lock *lock = NULL;
    struct xenfork__dm_info info;
    int rc;

    if ((rc = xenfork__thin_lock(ctx, dir, &lock)) < 0 ||
        (rc = xenfork__sys_dm_info(ctx, pool, &info)) < 0 || !info.is_there)
        return rc;
    return xenfork__pool_grow(ctx, dir);
}

static void watch(xenfork_ctx *ctx, const char *dir)
{
    struct timespec retry = {.tv_sec = RETRY_S};
    char pool[XENFORK__DM_NAME_BYTES];
    bool is_full = false;
    uint32_t now;
    const uint32_t *after = NULL;

    xenfork__pool_name(dir, pool);
    while (xenfork__sys_dm_wait(ctx, pool, after, &now) == 0) {
        bool was_full = is_full;

        is_full = grow(ctx, dir, pool) < 0;
        after = is_full ? NULL : &now;
        if (is_full && !was_full)
            syslog(LOG_WARNING, "%s; %s", ctx->error.text, ctx->error.remedy);
        else if (!is_full && was_full)
            syslog(LOG_INFO, "%s: there is space again", dir);
        if (is_full)
            nanosleep(&retry, NULL);
    }
}

/* The lock on the pool's file says that somebody watches; a child keeps it. */
int watch_pool(xenfork_ctx *ctx, const char *dir)
{
    cleanup_free char *data = NULL;
    cleanup_close int fd = -1;
    pid_t pid;

    if (asprintf(&data, "%s/pool/data", dir) < 0) {
        data = NULL;
        return xenfork__nomem(ctx);
    }
    fd = open(data, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return xenfork__fail(ctx, XENFORK_E_DISK, errno, "cannot open %s",
                             data);
    if (flock(fd, LOCK_EX | LOCK_NB))
        return 0;
    pid = fork();
    if (pid)
        return pid > 0 ? 0
                       : xenfork__fail(ctx, XENFORK_E_DISK, errno,
                                       "cannot watch %s", data);
    if (setsid() < 0 || chdir("/") || dup2(fd, 3) < 0 || close_range(4, ~0U, 0))
        _exit(1);
    openlog("xenfork-block", LOG_PID, LOG_DAEMON);
    watch(ctx, dir);
    _exit(0);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Make a pool larger before its devices need it.  The process that puts a pool
 * into use starts this, and the kernel ends it: when the pool is removed, the
 * wait ends.
 */
#include "target.h"

#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <syslog.h>
#include <time.h>

#include "disk/thin/pool.h"
#include "disk/thin/thin.h"

#define RETRY_S 1 /* while its file system is full */

/* All guests on the pool wait for us when it is full: of no use is less. */
#define OOM_SCORE "/proc/self/oom_score_adj"
#define OOM_NEVER "-1000"

/* Make the pool larger; a pool that is gone meanwhile is no failure. */
static int grow_pool(xenfork_ctx *ctx, const char *dir, const char *pool)
{
    cleanup_lock struct xenfork__lock *lock = NULL;
    struct xenfork__dm_info info;
    int rc;

    if ((rc = xenfork__thin_lock(ctx, dir, &lock)) < 0 ||
        (rc = xenfork__sys_dm_info(ctx, pool, &info)) < 0 || !info.is_there)
        return rc;
    return xenfork__pool_grow(ctx, dir);
}

bool watch_turn(xenfork_ctx *ctx, const char *dir, struct watch *watch)
{
    bool was_troubled = watch->is_troubled;
    int rc = xenfork__sys_dm_wait(ctx, watch->pool,
                                  watch->is_troubled ? NULL : watch->after,
                                  &watch->now);

    if (rc == XENFORK_E_NOTFOUND)
        return false;
    watch->is_troubled = rc < 0 || grow_pool(ctx, dir, watch->pool) < 0;
    watch->after = watch->is_troubled ? NULL : &watch->now;
    if (watch->is_troubled && !was_troubled)
        syslog(LOG_WARNING, "%s%s%s; going on", ctx->error.text,
               ctx->error.remedy[0] ? "; " : "", ctx->error.remedy);
    else if (!watch->is_troubled && was_troubled)
        syslog(LOG_INFO, "%s: the pool can grow again", dir);
    return true;
}

static void watch_until_gone(xenfork_ctx *ctx, const char *dir)
{
    struct watch watch = {.is_troubled = false};

    xenfork__pool_name(dir, watch.pool);
    while (watch_turn(ctx, dir, &watch))
        if (watch.is_troubled)
            xenfork__sleep_ns(RETRY_S * 1000000000ULL);
    syslog(LOG_DEBUG, "%s: the pool is not in use any more", dir);
}

static void refuse_oom(void)
{
    cleanup_close int fd = open(OOM_SCORE, O_WRONLY | O_CLOEXEC);

    if (fd < 0 || write(fd, OOM_NEVER, strlen(OOM_NEVER)) < 0)
        syslog(LOG_WARNING, "cannot write " OOM_SCORE ": %m, ignoring");
}

/*
 * Guard the watch: it is a process of its own, and another is started when it
 * is killed.
 */
static void guard(xenfork_ctx *ctx, const char *dir)
{
    int status;
    pid_t pid;

    for (;;) {
        pid = fork();
        if (pid <= 0) { /* without another process, ourselves */
            watch_until_gone(ctx, dir);
            return;
        }
        while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
            ;
        if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
            return;
        syslog(LOG_WARNING,
               "%s: the process that watched the pool has ended (status %d): "
               "starting another",
               dir, status);
        xenfork__sleep_ns(RETRY_S * 1000000000ULL);
    }
}

/*
 * Take the lock on the pool's file, which says that a process watches; a child
 * keeps it.
 */
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
    refuse_oom();
    guard(ctx, dir);
    _exit(0);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "state/lock.h"

#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>

#include "base/file.h"
#include "state/files.h"

#define PAUSE_NS    20000000L
#define SOON_MS     20000U
#define REGISTRY_MS 60000U

struct xenfork__lock {
    int fd;
    char *path;
};

static int lock_file(xenfork_ctx *ctx, const char *path, bool is_waiting,
                     int *fd_out)
{
    for (;;) {
        cleanup_close int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        int r;

        if (fd < 0)
            return xenfork__fail(ctx, XENFORK_E_STATE, errno,
                                 "cannot open lock %s", path);
        do {
            r = flock(fd, LOCK_EX | (is_waiting ? 0 : LOCK_NB));
        } while (r && errno == EINTR && !xenfork__is_cancelled(ctx));
        if (r && errno == EWOULDBLOCK)
            return xenfork__miss(ctx, XENFORK_E_BUSY, "%s is locked", path);
        if (r && errno == EINTR)
            return xenfork__fail(ctx, XENFORK_E_CANCELLED, 0,
                                 "cancelled while waiting for %s", path);
        if (r)
            return xenfork__fail(ctx, XENFORK_E_STATE, errno, "cannot lock %s",
                                 path);
        if (xenfork__is_open_at(fd, path)) {
            *fd_out = steal_fd(&fd);
            return 0;
        }
    }
}

/* Find the process that holds a lock; 0: the kernel does not say. */
static int find_holder(const char *path)
{
    FILE *locks = fopen("/proc/locks", "re");
    unsigned int major, minor;
    unsigned long long inode;
    char line[256];
    struct stat st;
    int pid = 0, p;

    if (!locks)
        return 0;
    if (!stat(path, &st))
        while (!pid && fgets(line, sizeof(line), locks))
            if (sscanf(line, "%*d: FLOCK ADVISORY WRITE %d %x:%x:%llu", &p,
                       &major, &minor, &inode) == 4 &&
                major == major(st.st_dev) && minor == minor(st.st_dev) &&
                inode == st.st_ino)
                pid = p;
    fclose(locks);
    return pid;
}

static int held_for_long(xenfork_ctx *ctx, const char *path, unsigned int ms)
{
    int pid = find_holder(path);

    if (!pid)
        return xenfork__fail(ctx, XENFORK_E_BUSY, 0,
                             "%s has been locked for %u seconds", path,
                             ms / 1000);
    xenfork__fail(ctx, XENFORK_E_BUSY, 0,
                  "process %d has held %s for %u seconds", pid, path,
                  ms / 1000);
    return xenfork__remedy(
        ctx,
        "if it is stopped (ps -o stat= %d says T), let it go "
        "on (kill -CONT %d), or end it (kill -KILL %d)",
        pid, pid, pid);
}

/*
 * Wait for the registry, which nobody holds for long: but a process of ours may
 * be stopped meanwhile.
 */
static int lock_registry(xenfork_ctx *ctx, const char *path, int *fd_out)
{
    uint64_t pause_ns = PAUSE_NS / 64;
    unsigned int ms = ctx->registry_ms ? ctx->registry_ms : REGISTRY_MS;
    uint64_t end_ns = xenfork__now_ns() + ms * 1000000ULL;
    int rc;

    while ((rc = lock_file(ctx, path, false, fd_out)) == XENFORK_E_BUSY &&
           xenfork__now_ns() < end_ns && !xenfork__is_cancelled(ctx)) {
        xenfork__sleep_ns(pause_ns);
        if (pause_ns < PAUSE_NS)
            pause_ns *= 2;
    }
    if (rc != XENFORK_E_BUSY)
        return rc;
    return xenfork__is_cancelled(ctx)
               ? xenfork__fail(ctx, XENFORK_E_CANCELLED, 0,
                               "cancelled while waiting for %s", path)
               : held_for_long(ctx, path, ms);
}

int xenfork__lock_take(xenfork_ctx *ctx, const char *name, bool is_waiting,
                       struct xenfork__lock **lock_out)
{
    cleanup_free char *dir = xenfork__state_path(ctx, "locks", NULL);
    cleanup_free char *path = xenfork__state_path(ctx, "locks", name, NULL);
    cleanup_free struct xenfork__lock *lock = calloc(1, sizeof(*lock));
    int rc;

    if (!dir || !path || !lock)
        return xenfork__nomem(ctx);
    rc = xenfork__make_dir(ctx, dir);
    if (rc < 0)
        return rc;
    rc = is_waiting && !strcmp(name, XENFORK__LOCK_REGISTRY)
             ? lock_registry(ctx, path, &lock->fd)
             : lock_file(ctx, path, is_waiting, &lock->fd);
    if (rc < 0)
        return rc;
    lock->path = steal_ptr(path);
    *lock_out = steal_ptr(lock);
    return 0;
}

int xenfork__lock_take_soon(xenfork_ctx *ctx, const char *name,
                            struct xenfork__lock **lock_out)
{
    unsigned int soon_ms = ctx->lock_soon_ms ? ctx->lock_soon_ms : SOON_MS;
    uint64_t end_ns = xenfork__now_ns() + soon_ms * 1000000ULL;
    int rc;

    while ((rc = xenfork__lock_take(ctx, name, false, lock_out)) ==
               XENFORK_E_BUSY &&
           xenfork__now_ns() < end_ns && !xenfork__is_cancelled(ctx))
        xenfork__sleep_ns(PAUSE_NS);
    if (rc == XENFORK_E_BUSY && xenfork__is_cancelled(ctx))
        return xenfork__fail(ctx, XENFORK_E_CANCELLED, 0,
                             "cancelled while waiting for lock %s", name);
    return rc;
}

int xenfork__lock_fd(const struct xenfork__lock *lock)
{
    return lock->fd;
}

void xenfork__lock_drop(struct xenfork__lock *lock)
{
    if (!lock)
        return;
    /* First the name, then the lock: see lock_file(). */
    unlink(lock->path);
    close(lock->fd);
    free(lock->path);
    free(lock);
}

int xenfork__locks_sweep(xenfork_ctx *ctx)
{
    char **names;
    size_t count, i;
    int rc = xenfork__state_names(ctx, "locks", &names, &count);

    if (rc < 0)
        return rc;
    for (i = 0; i < count; i++) {
        struct xenfork__lock *lock;

        if (!xenfork__lock_take(ctx, names[i], false, &lock))
            xenfork__lock_drop(lock);
    }
    xenfork__names_free(names, count);
    return 0;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The keeper: a process that outlives us.  It makes itself a daemon; we start,
 * and wait for, its first process only.  The pipe to its standard input tells
 * it that we are gone, even if we are killed.
 */
#include "host/run.h"

#include "host/host.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define KEEPER        XENFORK_LIBEXEC_DIR "/xenfork-keeper"
#define READY         'r'
#define READY_MS      10000U
#define FIRST_FREE_FD 3 /* below are the keeper's standard ones */

struct keeper {
    int word[2];  /* our word to it: its standard input */
    int ready[2]; /* its standard output */
    pid_t pid;
};

static void drop_fd(int *fd)
{
    xenfork__close_fd(fd);
    *fd = -1;
}

/*
 * Make a pipe with both ends above the standard descriptors, which the caller
 * may have closed: placing them there must not overwrite one that is still to
 * be placed.
 */
static int make_pipe(int ends[2])
{
    int i, fd;

    if (pipe2(ends, O_CLOEXEC) < 0)
        return -1;
    for (i = 0; i < 2; i++) {
        if (ends[i] >= FIRST_FREE_FD)
            continue;
        fd = fcntl(ends[i], F_DUPFD_CLOEXEC, FIRST_FREE_FD);
        if (fd < 0)
            return -1;
        drop_fd(&ends[i]);
        ends[i] = fd;
    }
    return 0;
}

static void close_keeper(struct keeper *keeper)
{
    int i;

    for (i = 0; i < 2; i++) {
        drop_fd(&keeper->word[i]);
        drop_fd(&keeper->ready[i]);
    }
}

static int spawn_keeper(struct keeper *keeper, char *const argv[])
{
    const int fds[] = {keeper->word[0], keeper->ready[1]};

    return xenfork__spawn(KEEPER, (const char *const *)argv, environ, fds,
                          ARRAY_SIZE(fds), &keeper->pid);
}

static bool is_ready(int fd)
{
    uint64_t end_ns = xenfork__now_ns() + READY_MS * 1000000ULL;
    char c;

    return xenfork__wait_fd(fd, POLLIN, end_ns) && read(fd, &c, 1) == 1 &&
           c == READY;
}

/*
 * Reap a child.  ECHILD: the caller ignores SIGCHLD or reaped it; then it is
 * gone as well.
 */
static void reap_child(pid_t pid)
{
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
}

static int start_keeper(xenfork_ctx *ctx, struct keeper *keeper,
                        const char *journal_id, char *const argv[])
{
    int e;

    if (make_pipe(keeper->word) < 0 || make_pipe(keeper->ready) < 0)
        return xenfork__fail(ctx, XENFORK_E_IO, errno,
                             "cannot make a pipe to xenfork-keeper");
    e = spawn_keeper(keeper, argv);
    if (e)
        return xenfork__fail(ctx, XENFORK_E_IO, e, "cannot start %s", KEEPER);
    xenfork__count(ctx, XENFORK_COUNT_PROCESSES, 1);
    drop_fd(&keeper->word[0]);
    drop_fd(&keeper->ready[1]);
    if (is_ready(keeper->ready[0])) {
        reap_child(keeper->pid);
        return 0;
    }
    /* The keeper, if it runs, sees the end of its input and exits. */
    close_keeper(keeper);
    if (waitpid(keeper->pid, NULL, WNOHANG) == 0) {
        kill(keeper->pid, SIGKILL);
        reap_child(keeper->pid);
    }
    return xenfork__fail(ctx, XENFORK_E_IO, 0, "cannot start %s for journal %s",
                         KEEPER, journal_id);
}

int xenfork__sys_keeper(xenfork_ctx *ctx, const char *journal_id,
                        int *keeper_fd_out)
{
    struct keeper keeper = {{-1, -1}, {-1, -1}, -1};
    cleanup_free char *dir = NULL;
    cleanup_free char *journal = strdup(journal_id);
    char name[] = "xenfork-keeper";
    char option[] = "--state-dir";
    char *argv[5] = {name, NULL, NULL, NULL, NULL};
    struct stat st;
    int argc = 1, rc;

    if (strcmp(ctx->state_dir, XENFORK_STATE_DIR)) {
        dir = strdup(ctx->state_dir);
        argv[argc++] = option;
        argv[argc++] = dir;
    }
    argv[argc] = journal;
    if (!journal || (argc > 1 && !dir))
        return xenfork__nomem(ctx);
    rc = start_keeper(ctx, &keeper, journal_id, argv);
    if (rc == 0) {
        ctx->keeper = fstat(keeper.word[1], &st) ? 0 : st.st_ino;
        *keeper_fd_out = steal_fd(&keeper.word[1]);
    }
    close_keeper(&keeper);
    return rc;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/run.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/wait.h>

#define LIMIT_MS      120000
#define HEAR_MS       1000
#define OUTPUT_BYTES  65536U
#define FIRST_FREE_FD 10 /* below are those that the program gets */

struct run {
    const char *const *argv;
    int null, out, err; /* its standard descriptors */
    int to;             /* the caller's, for its output; -1: none */
    int guard;          /* the journal's lock; -1: none */
    int ear;            /* where its output is heard; -1: when it has ended */
    int (*heard)(xenfork_ctx *ctx, void *opaque, const char *text);
    void *opaque;
    bool is_whole; /* killed, it would leave something half-done */
    pid_t pid;
};

#define NO_RUN \
    {.null = -1, .out = -1, .err = -1, .to = -1, .guard = -1, .ear = -1}

/*
 * Return a copy above the standard descriptors: placing them for the program
 * must not overwrite one that is still to be placed.
 */
static int above(int fd)
{
    int copy = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, FIRST_FREE_FD);

    xenfork__close_fd(&fd);
    return copy;
}

static void close_run(struct run *run)
{
    xenfork__close_fd(&run->null);
    xenfork__close_fd(&run->out);
    xenfork__close_fd(&run->err);
    xenfork__close_fd(&run->guard);
    xenfork__close_fd(&run->ear);
}

static int open_out(struct run *run)
{
    int fds[2];

    if (run->to >= 0)
        return fcntl(run->to, F_DUPFD_CLOEXEC, FIRST_FREE_FD);
    if (!run->heard)
        return above(memfd_create("output", MFD_CLOEXEC));
    if (pipe2(fds, O_CLOEXEC))
        return -1;
    run->ear = above(fds[0]);
    return above(fds[1]);
}

static bool open_run(const xenfork_ctx *ctx, struct run *run)
{
    run->null = above(open("/dev/null", O_RDONLY | O_CLOEXEC));
    run->out = open_out(run);
    run->err = above(memfd_create("errors", MFD_CLOEXEC));
    if (ctx->guard_fd >= 0)
        run->guard = fcntl(ctx->guard_fd, F_DUPFD_CLOEXEC, FIRST_FREE_FD);
    return run->null >= 0 && run->out >= 0 && run->err >= 0 &&
           (!run->heard || run->ear >= 0) &&
           (ctx->guard_fd < 0 || run->guard >= 0);
}

/*
 * Give a program a group of its own, because an interrupt typed at the terminal
 * is for us, and the signals of a new program, without the caller's masks and
 * ignored signals.
 */
static int set_apart(posix_spawnattr_t *attr)
{
    sigset_t none, all;
    int e;

    sigemptyset(&none);
    sigfillset(&all);
    e = posix_spawnattr_setsigmask(attr, &none);
    if (!e)
        e = posix_spawnattr_setsigdefault(attr, &all);
    if (!e)
        e = posix_spawnattr_setpgroup(attr, 0);
    if (!e)
        e = posix_spawnattr_setflags(attr, POSIX_SPAWN_SETSIGMASK |
                                               POSIX_SPAWN_SETSIGDEF |
                                               POSIX_SPAWN_SETPGROUP);
    return e;
}

int xenfork__spawn(const char *program, const char *const argv[],
                   char *const env[], const int fds[], size_t count,
                   pid_t *pid_out)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attr;
    size_t i;
    int e = posix_spawn_file_actions_init(&actions);

    if (e)
        return e;
    e = posix_spawnattr_init(&attr);
    if (e) {
        posix_spawn_file_actions_destroy(&actions);
        return e;
    }
    for (i = 0; i < count && !e; i++)
        if (fds[i] >= 0)
            e = posix_spawn_file_actions_adddup2(&actions, fds[i], (int)i);
    if (!e)
        e = set_apart(&attr);
    if (!e)
        e = posix_spawnp(pid_out, program, &actions, &attr,
                         (char *const *)(uintptr_t)argv, env);
    posix_spawnattr_destroy(&attr);
    posix_spawn_file_actions_destroy(&actions);
    return e;
}

/*
 * Make an environment in which LVM's programs do not complain of descriptors
 * that they do not know.
 */
static char **make_environment(void)
{
    static char quiet[] = "LVM_SUPPRESS_FD_WARNINGS=1";
    static char language[] = "LC_ALL=C";
    size_t count = 0;
    char **env;

    while (environ[count])
        count++;
    env = calloc(count + 3, sizeof(char *));
    if (!env)
        return NULL;
    env[0] = quiet;
    env[1] = language;
    memcpy(env + 2, environ, count * sizeof(char *));
    return env;
}

static int spawn_program(struct run *run)
{
    /* Its standard descriptors, and the journal's lock. */
    const int fds[] = {run->null, run->out, run->err, run->guard};
    cleanup_free char **env = make_environment();

    return env ? xenfork__spawn(run->argv[0], run->argv, env, fds,
                                ARRAY_SIZE(fds), &run->pid)
               : ENOMEM;
}

/* Wait for the program.  False: it has not ended in time. */
static bool wait_some(int fd)
{
    struct pollfd poller = {.fd = fd, .events = POLLIN};
    uint64_t end_ns = xenfork__now_ns() + LIMIT_MS * 1000000ULL;
    int r;

    do
        r = poll(&poller, 1, LIMIT_MS);
    while (r < 0 && errno == EINTR && xenfork__now_ns() < end_ns);
    return r == 1;
}

/*
 * Return its status as of waitpid(2); -1: it took too long, or is not known.  A
 * program that changes something is waited for: a slow disk is no reason to
 * kill it, and the user, who sees a warning, can do so.
 */
static int wait_program(xenfork_ctx *ctx, const struct run *run)
{
    cleanup_close int fd = pidfd_open(run->pid, 0);
    uint64_t start_ns = xenfork__now_ns();
    bool has_ended = wait_some(fd);
    int status = -1;

    while (!has_ended && run->is_whole && fd >= 0) {
        LOG_WARN(ctx, "%s (process %d) has been running for %llu s, waiting",
                 run->argv[0], (int)run->pid,
                 (unsigned long long)(xenfork__now_ns() - start_ns) /
                     1000000000U);
        has_ended = wait_some(fd);
    }
    if (!has_ended && !run->is_whole)
        kill(run->pid, SIGKILL);
    has_ended |= run->is_whole;
    while (waitpid(run->pid, &status, 0) < 0)
        if (errno != EINTR)
            return -1;
    return has_ended ? status : -1;
}

/* Read until the program closes its output, as it does when it ends. */
static int hear(xenfork_ctx *ctx, struct run *run)
{
    struct pollfd poller = {.fd = run->ear, .events = POLLIN};
    char text[4096];
    ssize_t n = 1;
    int rc = 0;

    xenfork__close_fd(&run->out);
    while (n && rc >= 0) {
        text[0] = '\0';
        if (poll(&poller, 1, HEAR_MS) == 1) {
            n = read(run->ear, text, sizeof(text) - 1);
            text[n > 0 ? n : 0] = '\0';
        }
        if (n)
            rc = run->heard(ctx, run->opaque, text);
    }
    if (rc < 0)
        kill(run->pid, SIGKILL);
    return rc;
}

static char *read_output(int fd)
{
    char *text = malloc(OUTPUT_BYTES);
    size_t used = 0;
    ssize_t n;

    if (!text)
        return NULL;
    while (used < OUTPUT_BYTES - 1 &&
           (n = pread(fd, text + used, OUTPUT_BYTES - 1 - used, (off_t)used)) >
               0)
        used += (size_t)n;
    text[used] = '\0';
    return text;
}

/* Return the last line of a text, in place. */
static const char *last_line(char *text)
{
    size_t length = strlen(text);
    char *line;

    while (length && strchr(" \n", text[length - 1]))
        text[--length] = '\0';
    line = strrchr(text, '\n');
    line = line ? line + 1 : text;
    return line + strspn(line, " ");
}

static int run_failed(xenfork_ctx *ctx, int code, const struct run *run,
                      int status)
{
    cleanup_free char *text = read_output(run->err);
    const char *line = text ? last_line(text) : "";

    if (status == -1)
        return xenfork__fail(ctx, code, 0, "%s took too long, or was lost",
                             run->argv[0]);
    if (code == XENFORK_E_DISK && strstr(line, "No space left on device"))
        code = XENFORK_E_NOSPC;
    return xenfork__fail(
        ctx, code, 0, "%s has failed (status %d)%s%s", run->argv[0],
        WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status),
        *line ? ": " : "", line);
}

/* Run a program to its end. */
static int run_it(xenfork_ctx *ctx, int code, struct run *run)
{
    int e, status, rc = 0;

    LOG_DEBUG(ctx, "running %s", run->argv[0]);
    if (!open_run(ctx, run))
        return xenfork__fail(ctx, code, errno, "cannot run %s", run->argv[0]);
    e = spawn_program(run);
    if (e)
        return xenfork__fail(ctx, code, e, "cannot run %s", run->argv[0]);
    xenfork__count(ctx, XENFORK_COUNT_PROCESSES, 1);
    if (run->heard)
        rc = hear(ctx, run);
    status = wait_program(ctx, run);
    return rc == 0 && status ? run_failed(ctx, code, run, status) : rc;
}

int xenfork__sys_run(xenfork_ctx *ctx, int code, const char *const argv[],
                     char **output_out)
{
    struct run run = NO_RUN;
    char *output = NULL;
    int rc;

    run.argv = argv;
    rc = run_it(ctx, code, &run);
    if (rc == 0 && output_out && !(output = read_output(run.out)))
        rc = xenfork__nomem(ctx);
    close_run(&run);
    if (output)
        *output_out = output;
    return rc;
}

int xenfork__sys_run_whole(xenfork_ctx *ctx, int code, const char *const argv[])
{
    struct run run = NO_RUN;
    int rc;

    run.argv = argv;
    run.is_whole = true;
    rc = run_it(ctx, code, &run);
    close_run(&run);
    return rc;
}

int xenfork__sys_run_to(xenfork_ctx *ctx, int code, const char *const argv[],
                        int fd)
{
    struct run run = NO_RUN;
    int rc;

    run.argv = argv;
    run.to = fd;
    rc = run_it(ctx, code, &run);
    close_run(&run);
    return rc;
}

int xenfork__sys_run_long(xenfork_ctx *ctx, int code, const char *const argv[],
                          int (*heard)(xenfork_ctx *ctx, void *opaque,
                                       const char *text),
                          void *opaque)
{
    struct run run = NO_RUN;
    int rc;

    run.argv = argv;
    run.heard = heard;
    run.opaque = opaque;
    run.is_whole = true;
    rc = run_it(ctx, code, &run);
    close_run(&run);
    return rc;
}

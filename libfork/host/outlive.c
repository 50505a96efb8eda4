/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Two processes are forked.  The first ends at once, so that the second is not
 * our child; that one says its process id, and waits for our word before it
 * becomes the program.  It has our descriptors as long as it waits, also a
 * journal's lock: when we are gone, it ends.
 */
#include "host/outlive.h"

#include "host/host.h"
#include "host/run.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define FIRST_FREE_FD 10 /* below are those that the program gets */
#define PROGRAM_FDS   4
#define SAY_MS        10000U
#define CANNOT        127

struct start {
    const char *const *argv;
    char **env;
    int fds[PROGRAM_FDS]; /* all from FIRST_FREE_FD on */
    int said[2];          /* its process id, to us */
    int word[2];          /* our word, to it */
};

/* Return a copy that placing the program's descriptors does not overwrite. */
static int lift_fd(int fd)
{
    int copy = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, FIRST_FREE_FD);

    xenfork__close_fd(&fd);
    return copy;
}

static bool make_pipe_above(int ends[2])
{
    int fds[2];

    if (pipe2(fds, O_CLOEXEC))
        return false;
    ends[0] = lift_fd(fds[0]);
    ends[1] = lift_fd(fds[1]);
    return ends[0] >= 0 && ends[1] >= 0;
}

static void drop_end(int *fd)
{
    xenfork__close_fd(fd);
    *fd = -1;
}

static void close_start(struct start *start)
{
    size_t i;

    for (i = 0; i < PROGRAM_FDS; i++)
        drop_end(&start->fds[i]);
    for (i = 0; i < 2; i++) {
        drop_end(&start->said[i]);
        drop_end(&start->word[i]);
    }
    free(start->env);
}

static bool open_start(struct start *start,
                       const struct xenfork__program *program)
{
    start->fds[0] = lift_fd(open("/dev/null", O_RDONLY | O_CLOEXEC));
    start->fds[1] = fcntl(program->log, F_DUPFD_CLOEXEC, FIRST_FREE_FD);
    start->fds[2] = fcntl(program->log, F_DUPFD_CLOEXEC, FIRST_FREE_FD);
    start->fds[3] = fcntl(program->input, F_DUPFD_CLOEXEC, FIRST_FREE_FD);
    return start->fds[0] >= 0 && start->fds[1] >= 0 && start->fds[2] >= 0 &&
           start->fds[3] >= 0 && make_pipe_above(start->said) &&
           make_pipe_above(start->word);
}

static size_t count_texts(char *const *texts)
{
    size_t count = 0;

    while (texts && texts[count])
        count++;
    return count;
}

/* Make the program's environment: ours, and more. */
static char **join_env(char *const *more)
{
    size_t own = count_texts(environ), count = count_texts(more);
    char **env = calloc(own + count + 1, sizeof(*env));

    if (!env)
        return NULL;
    if (own)
        memcpy(env, environ, own * sizeof(*env));
    if (count)
        memcpy(env + own, more, count * sizeof(*env));
    return env;
}

/* Have the signals of a new program: a fork's child has the caller's. */
static void reset_signals(void)
{
    sigset_t none;
    int i;

    for (i = 1; i < NSIG; i++)
        signal(i, SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Wait for the word.  False: whoever would give it has gone. */
static bool is_told(const struct start *start)
{
    ssize_t n;
    char c;

    close(start->word[1]);
    do
        n = read(start->word[0], &c, 1);
    while (n < 0 && errno == EINTR);
    return n == 1;
}

/*
 * Become the program, in the second process.  Here and in start_second() is
 * only what a fork's child may call (signal-safety(7)).
 */
static void __attribute__((noreturn)) become(const struct start *start)
{
    pid_t pid = getpid();
    int i;

    setsid();
    if (write(start->said[1], &pid, sizeof(pid)) != (ssize_t)sizeof(pid) ||
        !is_told(start))
        _exit(CANNOT);
    reset_signals();
    for (i = 0; i < PROGRAM_FDS; i++)
        if (dup2(start->fds[i], i) < 0)
            _exit(CANNOT);
    close_range(PROGRAM_FDS, ~0U, 0);
    execve(start->argv[0], (char *const *)(uintptr_t)start->argv, start->env);
    _exit(CANNOT);
}

static void __attribute__((noreturn)) start_second(const struct start *start)
{
    pid_t pid = fork();

    if (pid == 0)
        become(start);
    _exit(pid < 0 ? CANNOT : 0);
}

/* Read the process id of the second process; false: there is none. */
static bool hear_pid(struct start *start, pid_t *pid_out)
{
    uint64_t end_ns = xenfork__now_ns() + SAY_MS * UINT64_C(1000000);

    drop_end(&start->said[1]);
    return xenfork__wait_fd(start->said[0], POLLIN, end_ns) &&
           read(start->said[0], pid_out, sizeof(*pid_out)) ==
               (ssize_t)sizeof(*pid_out);
}

static int start_both(xenfork_ctx *ctx, struct start *start, pid_t *pid_out)
{
    pid_t first = fork();

    if (first == 0)
        start_second(start);
    if (first < 0)
        return xenfork__fail(ctx, XENFORK_E_IO, errno, "cannot fork");
    while (waitpid(first, NULL, 0) < 0 && errno == EINTR)
        ;
    xenfork__count(ctx, XENFORK_COUNT_PROCESSES, 1);
    return hear_pid(start, pid_out)
               ? 0
               : xenfork__fail(ctx, XENFORK_E_IO, 0, "cannot start %s",
                               start->argv[0]);
}

int xenfork__sys_outlive(
    xenfork_ctx *ctx, const struct xenfork__program *program,
    int (*announce)(xenfork_ctx *ctx, void *opaque, uint32_t pid), void *opaque)
{
    struct start start = {
        .argv = (const char *const *)program->argv,
        .env = join_env(program->env),
        .fds = {-1, -1, -1, -1},
        .said = {-1, -1},
        .word = {-1, -1},
    };
    pid_t pid = 0;
    int rc = 0;

    if (!start.env)
        rc = xenfork__nomem(ctx);
    else if (!open_start(&start, program))
        rc = xenfork__fail(ctx, XENFORK_E_IO, errno,
                           "cannot open what %s is to have", program->argv[0]);
    if (rc == 0)
        rc = start_both(ctx, &start, &pid);
    if (rc == 0)
        rc = announce(ctx, opaque, (uint32_t)pid);
    if (rc == 0 && write(start.word[1], "", 1) != 1)
        rc = xenfork__fail(ctx, XENFORK_E_IO, errno, "cannot start %s",
                           program->argv[0]);
    close_start(&start);
    return rc;
}

bool xenfork__sys_is_running(uint32_t pid)
{
    return kill((pid_t)pid, 0) == 0 || errno == EPERM;
}

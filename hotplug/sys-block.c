/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Disks behind block-fork's devices, by xenfork-block. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "host.h"

#define HELPER XENFORK_LIBEXEC_DIR "/xenfork-block"

/* Read to the end; text that does not fit is lost. */
static void read_all(int fd, char text[TEXT_BYTES])
{
    char rest[256];
    size_t length = 0;
    ssize_t n;

    do {
        bool fits = length < TEXT_BYTES - 1;

        n = fits ? read(fd, text + length, TEXT_BYTES - 1 - length)
                 : read(fd, rest, sizeof(rest));
        if (n > 0 && fits)
            length += (size_t)n;
    } while (n > 0 || (n < 0 && errno == EINTR));
    text[length] = '\0';
    text[strcspn(text, "\n")] = '\0';
}

static int run_helper(char *const argv[], int out, pid_t *pid_out)
{
    posix_spawn_file_actions_t actions;
    int e = posix_spawn_file_actions_init(&actions);

    if (e)
        return e;
    if (!(e = posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO)) &&
        !(e = posix_spawn_file_actions_adddup2(&actions, out, STDERR_FILENO)))
        e = posix_spawn(pid_out, HELPER, &actions, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    return e;
}

bool host_block(const char *verb, const char *target, const char *mode,
                char text[TEXT_BYTES])
{
    char *const argv[] = {(char *)HELPER, (char *)verb, (char *)target,
                          (char *)mode, NULL};
    cleanup_close int in = -1;
    int pipe_fds[2], status, e;
    pid_t pid;

    if (pipe2(pipe_fds, O_CLOEXEC)) {
        snprintf(text, TEXT_BYTES, "no pipe: %s", strerror(errno));
        return false;
    }
    in = pipe_fds[0];
    e = run_helper(argv, pipe_fds[1], &pid);
    close(pipe_fds[1]);
    if (e) {
        snprintf(text, TEXT_BYTES, "Unable to run " HELPER ": %s", strerror(e));
        return false;
    }
    read_all(in, text);
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return false;
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Programs that are run: for the files of host/. */
#ifndef LIBFORK_HOST_RUN_H
#define LIBFORK_HOST_RUN_H

#include "base/internal.h"

#include <poll.h>
#include <sys/types.h>

/*
 * Start a program, apart from our group and signals; @program is looked for in
 * PATH.  @fds: its descriptors from 0 on; -1: it has ours, if any.  Returns an
 * errno, or 0.
 */
int xenfork__spawn(const char *program, const char *const argv[],
                   char *const env[], const int fds[], size_t count,
                   pid_t *pid_out);

/*
 * Run a program; argv[0] is looked for in PATH.  output_out: what it wrote to
 * its standard output, with a final NUL; caller frees; NULL: not wanted.
 * @code: it could not be run, took too long, or failed; the text has the last
 * line that it wrote.
 *
 * While the program runs it has the journal's lock as well: when we are killed,
 * the process that rolls the journal back waits for it.
 */
int xenfork__sys_run(xenfork_ctx *ctx, int code, const char *const argv[],
                     char **output_out);
/*
 * Run a program that must not be killed, because its work cannot be repeated,
 * or begins anew each time.  It is waited for, with a warning every two
 * minutes.
 */
int xenfork__sys_run_whole(xenfork_ctx *ctx, int code,
                           const char *const argv[]);
/* Run a program that writes to a file of the caller. */
int xenfork__sys_run_to(xenfork_ctx *ctx, int code, const char *const argv[],
                        int fd);
/*
 * Run a program that may take any time.  heard() gets its output, piece by
 * piece, and is called at least once a second; a result below 0 ends the
 * program, and is returned.
 */
int xenfork__sys_run_long(xenfork_ctx *ctx, int code, const char *const argv[],
                          int (*heard)(xenfork_ctx *ctx, void *opaque,
                                       const char *text),
                          void *opaque);

/*
 * Wait for a descriptor, also over signals.  False: the time is over, or it
 * cannot be waited for.
 */
static inline bool xenfork__wait_fd(int fd, short events, uint64_t end_ns)
{
    struct pollfd poller = {.fd = fd, .events = events};
    uint64_t now_ns;
    int r;

    do {
        now_ns = xenfork__now_ns();
        if (now_ns >= end_ns)
            return false;
        r = poll(&poller, 1, (int)((end_ns - now_ns) / 1000000U) + 1);
    } while (r == 0 || (r < 0 && errno == EINTR));
    return r > 0;
}

#endif

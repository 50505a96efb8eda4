/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Fuzz what a QEMU says, of which a guest may have got hold. */
#include "config.h"

#include "host/qmp.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "fuzz.h"

#define INPUT_MAX 65536 /* fits into a socket without anybody reading */
#define DOMID     7U

static const uint8_t *answers;
static size_t answers_bytes;
static int other_end = -1;

/* QEMU has said all before it is asked for the first time. */
int __wrap_connect(int fd, const struct sockaddr *address, socklen_t bytes);
int __wrap_connect(int fd, const struct sockaddr *address, socklen_t bytes)
{
    int fds[2];

    (void)address;
    (void)bytes;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) < 0 ||
        dup2(fds[0], fd) < 0 ||
        send(fds[1], answers, answers_bytes, 0) != (ssize_t)answers_bytes ||
        shutdown(fds[1], SHUT_WR) < 0)
        abort();
    close(fds[0]);
    if (other_end >= 0)
        close(other_end);
    other_end = fds[1];
    return 0;
}

static void ask(xenfork_ctx *ctx, const uint8_t *data, size_t len, int what)
{
    struct xenfork__qemu_top top = {0};
    struct xenfork__qemu_job_info job;

    answers = data;
    answers_bytes = len;
    switch (what) {
    case 0:
        if (xenfork__sys_qemu_top(ctx, DOMID, "xvda", &top) == 0) {
            if (!memchr(top.node, 0, sizeof(top.node)))
                abort();
            xenfork__qemu_top_free(&top);
        }
        break;
    case 1:
        xenfork__sys_qemu_job(ctx, DOMID, "xvda", &job);
        break;
    case 2:
        xenfork__sys_qemu_sweep(ctx, DOMID, "xvda", "");
        break;
    default:
        xenfork__qmp(ctx, DOMID, "query-status", NULL, NULL);
    }
    xenfork__sys_qemu_close(ctx);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    xenfork_ctx ctx = {.guard_fd = -1};
    int what;

    if (len > INPUT_MAX)
        return 0;
    for (what = 0; what < 4; what++)
        ask(&ctx, data, len, what);
    return 0;
}

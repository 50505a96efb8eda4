/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Fuzz the records of tapdisks, with the output of tap-ctl and nbd-client. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "host/run.h"
#include "host/tap.h"

#define INPUT_MAX 4096

/* Stubs: no program runs, and every tapdisk does. */

int xenfork__sys_run_to(xenfork_ctx *ctx, int code, const char *const argv[],
                        int fd)
{
    (void)ctx;
    (void)argv;
    (void)fd;
    return code;
}

uint64_t xenfork__sys_process_started(unsigned int pid)
{
    return pid;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct xenfork__tap tap = {.fd = -1};
    char text[INPUT_MAX + 1];
    bool learnt = false;

    if (len > INPUT_MAX)
        return 0;
    memcpy(text, data, len);
    text[len] = '\0';
    if (!xenfork__tap_parse(&tap, text, &learnt))
        return 0;
    if (!memchr(tap.node, 0, sizeof(tap.node)) ||
        !memchr(tap.user, 0, sizeof(tap.user)))
        abort();
    if (learnt && tap.tapdisk.minor < 0)
        abort();
    return 0;
}

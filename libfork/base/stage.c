/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Where an operation is: stages, progress, and where a test kills it. */
#include "base/internal.h"

#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

void xenfork__begin(xenfork_ctx *ctx, uint32_t domid)
{
    ctx->is_cancelled = 0;
    ctx->is_firm = false;
    ctx->domid = domid;
    ctx->stage = XENFORK_STAGE_NONE;
    xenfork__clear_error(ctx);
    if (!ctx->has_agreed)
        ctx->agreed_count = 0;
    ctx->has_agreed = false;
    memset(ctx->counters, 0, sizeof(ctx->counters));
}

void xenfork__progress(xenfork_ctx *ctx, uint32_t clone, uint64_t done,
                       uint64_t total)
{
    if (ctx->progress)
        ctx->progress(ctx->progress_opaque, ctx->stage, clone, done, total);
}

int xenfork__enter(xenfork_ctx *ctx, int stage, uint32_t clone, uint64_t total)
{
    ctx->stage = stage;
    if (xenfork__is_cancelled(ctx))
        return xenfork__fail(ctx, XENFORK_E_CANCELLED, 0,
                             "cancelled before stage %s",
                             xenfork_stage_name(stage));
    xenfork__test_hook(ctx, stage);
    xenfork__progress(ctx, clone, 0, total);
    return 0;
}

void xenfork__enter_firm(xenfork_ctx *ctx, int stage, uint32_t clone)
{
    ctx->stage = stage;
    xenfork__test_hook(ctx, stage);
    xenfork__progress(ctx, clone, 0, 0);
}

#if ENABLE_TEST_HOOKS
/* Run a program, with the domain that we are about, and wait for it. */
static void run_test_program(xenfork_ctx *ctx, const char *program)
{
    char domid[16];
    pid_t pid;

    snprintf(domid, sizeof(domid), "%u", ctx->domid);
    pid = fork();
    if (pid == 0) {
        execl(program, program, domid, (char *)NULL);
        _exit(127);
    }
    if (pid > 0)
        waitpid(pid, NULL, 0);
}

/*
 * Die at the stage of XENFORK_TEST_KILL=STAGE, as by kill -9; run the program
 * of XENFORK_TEST_RESUME before the source runs on.
 */
void xenfork__test_hook(xenfork_ctx *ctx, int stage)
{
    const char *name = getenv("XENFORK_TEST_KILL");
    const char *program = getenv("XENFORK_TEST_RESUME");

    if (program && stage == XENFORK_STAGE_RESUME)
        run_test_program(ctx, program);
    if (name && !strcmp(name, xenfork_stage_name(stage)))
        raise(SIGKILL);
}
#endif

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The context: opened, closed, cancelled; stages and progress. */
#include "base/internal.h"

#include "host/host.h"
#include "xen/xen.h"

#include <string.h>

XENFORK_API int xenfork_open(xenfork_ctx **ctx_out,
                             struct xentoollog_logger *logger, uint32_t flags)
{
    xenfork_ctx *ctx;
    int rc;

    if (!ctx_out || flags)
        return XENFORK_E_INVAL;
    ctx = calloc(1, sizeof(*ctx));
    if (!ctx)
        return XENFORK_E_NOMEM;
    ctx->logger = logger;
    ctx->guard_fd = -1;
    ctx->domid = XENFORK_DOMID_NONE;
    ctx->error.domid = XENFORK_DOMID_NONE;
    ctx->state_dir = strdup(XENFORK_STATE_DIR);
    rc = ctx->state_dir ? xenfork__sys_boot(ctx, ctx->boot) : XENFORK_E_NOMEM;
    if (rc == 0)
        rc = xenfork__xen_open(ctx);
    if (rc < 0) {
        xenfork_close(ctx);
        return rc;
    }
    *ctx_out = ctx;
    return 0;
}

XENFORK_API void xenfork_close(xenfork_ctx *ctx)
{
    if (!ctx)
        return;
    xenfork__sys_qemu_close(ctx);
    xenfork__xen_close(ctx);
    free(ctx->state_dir);
    free(ctx);
}

int xenfork__set_state_dir(xenfork_ctx *ctx, const char *dir)
{
    char *copy = strdup(dir);

    if (!copy)
        return xenfork__nomem(ctx);
    free(ctx->state_dir);
    ctx->state_dir = copy;
    return 0;
}

XENFORK_API void xenfork_cancel(xenfork_ctx *ctx)
{
    ctx->is_cancelled = 1;
}

XENFORK_API void xenfork_set_progress(xenfork_ctx *ctx,
                                      xenfork_progress_fn *progress,
                                      void *opaque)
{
    ctx->progress = progress;
    ctx->progress_opaque = opaque;
}

void xenfork__begin(xenfork_ctx *ctx, uint32_t domid)
{
    ctx->is_cancelled = 0;
    ctx->domid = domid;
    ctx->stage = XENFORK_STAGE_NONE;
    memset(&ctx->error, 0, sizeof(ctx->error));
    ctx->error.domid = XENFORK_DOMID_NONE;
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
    if (ctx->is_cancelled)
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
/* XENFORK_TEST_KILL=STAGE: die there, as by kill -9. */
void xenfork__test_hook(xenfork_ctx *ctx, int stage)
{
    const char *name = getenv("XENFORK_TEST_KILL");

    (void)ctx;
    if (name && !strcmp(name, xenfork_stage_name(stage)))
        raise(SIGKILL);
}
#endif

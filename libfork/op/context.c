/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The context: opened, closed, cancelled. */
#include "base/internal.h"

#include "disk/disk.h"
#include "host/host.h"
#include "op/named.h"
#include "xen/xen.h"

#include <string.h>

XENFORK_API int xenfork_open(xenfork_ctx **ctx_out,
                             struct xentoollog_logger *logger, uint32_t flags)
{
    xenfork_ctx *ctx;
    int rc;

    if (!ctx_out || flags)
        return XENFORK_E_INVAL;
    ctx = malloc(sizeof(*ctx));
    if (!ctx)
        return XENFORK_E_NOMEM;
    xenfork__ctx_begin(ctx, strdup(XENFORK_STATE_DIR));
    ctx->logger = logger;
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
    xenfork__disks_hang_up(ctx);
    xenfork__xen_close(ctx);
    free(ctx->found);
    xenfork__named_forget(ctx);
    free(ctx->state_dir);
    free(ctx->agreed);
    free(ctx);
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

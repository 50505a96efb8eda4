/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Many calls in a row: what each would do for the whole host is done once. */
#include "base/internal.h"
#include "op/collapse.h"
#include "op/named.h"
#include "op/recover.h"

XENFORK_API void xenfork_batch_begin(xenfork_ctx *ctx)
{
    if (!ctx || ctx->is_batch)
        return;
    ctx->is_batch = true;
    ctx->has_recovered = false;
    ctx->is_sweep_due = false;
}

XENFORK_API int xenfork_batch_end(xenfork_ctx *ctx)
{
    bool is_due = ctx->is_batch && ctx->is_sweep_due;
    int rc;

    xenfork__begin(ctx, XENFORK_DOMID_NONE);
    ctx->is_batch = false;
    xenfork__named_forget(ctx);
    if (!is_due)
        return 0;
    rc = xenfork__images_sweep(ctx, NULL);
    if (rc == 0)
        xenfork__collapse_begin(ctx);
    return rc;
}

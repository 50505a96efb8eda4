/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Functions that drivers share for a detach. */
#include "disk/detach.h"

#include "host/host.h"

int xenfork__request_heard(xenfork_ctx *ctx, void *opaque, uint32_t per_mille)
{
    const struct xenfork__detach_request *request = opaque;

    if (per_mille == UINT32_MAX)
        return request->ops->wait(ctx, request);
    return xenfork__request_step(ctx, request, per_mille, 1000, 0);
}

int xenfork__request_copy(xenfork_ctx *ctx,
                          const struct xenfork__detach_request *request,
                          const char *path, const char *format)
{
    return xenfork__sys_copy(
        ctx,
        &(struct xenfork__copy){.src = path,
                                .src_format = format,
                                .dst = request->to,
                                .dst_format = request->format,
                                .bytes_per_second = request->bytes_per_second,
                                .step = xenfork__request_heard,
                                .opaque = (void *)request});
}

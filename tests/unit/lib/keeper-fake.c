/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The keeper as it is, on a fake host without domains. */
#include "config.h"

#include "fake-xen.h"
#include "xenfork.h"

int __real_xenfork_open(xenfork_ctx **ctx_out, struct xentoollog_logger *logger,
                        uint32_t flags);
int __wrap_xenfork_open(xenfork_ctx **ctx_out, struct xentoollog_logger *logger,
                        uint32_t flags);
void __real_xenfork_close(xenfork_ctx *ctx);
void __wrap_xenfork_close(xenfork_ctx *ctx);

int __wrap_xenfork_open(xenfork_ctx **ctx_out, struct xentoollog_logger *logger,
                        uint32_t flags)
{
    fake_setup();
    return __real_xenfork_open(ctx_out, logger, flags);
}

void __wrap_xenfork_close(xenfork_ctx *ctx)
{
    __real_xenfork_close(ctx);
    fake_teardown();
}

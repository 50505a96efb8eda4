/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Detach a disk that QEMU serves from its backing file.  The job is QEMU's, and
 * goes on when we are killed.
 */
#include "host/qmp.h"

#include <inttypes.h>

int xenfork__sys_qemu_flatten(xenfork_ctx *ctx, uint32_t domid,
                              const struct xenfork__qemu_top *top,
                              const char *id, uint64_t bytes_per_second)
{
    return xenfork__qmp_run(
        ctx, domid, "block-stream",
        "{\"job-id\":\"%s\",\"device\":\"%s\",\"speed\":%" PRIu64 "}", id,
        top->node, bytes_per_second);
}

int xenfork__sys_qemu_speed(xenfork_ctx *ctx, uint32_t domid, const char *id,
                            uint64_t bytes_per_second)
{
    return xenfork__qmp_run(ctx, domid, "block-job-set-speed",
                            "{\"device\":\"%s\",\"speed\":%" PRIu64 "}", id,
                            bytes_per_second);
}

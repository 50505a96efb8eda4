/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A disk that QEMU serves comes to lie on nothing: in its file, or in another
 * one.  The jobs are QEMU's, and go on when we are killed.
 */
#include "sys-qmp.h"

#include <inttypes.h>
#include <string.h>

int xenfork__sys_qemu_flatten(xenfork_ctx *ctx, uint32_t domid,
                              const struct xenfork__qemu_top *top,
                              const char *id, uint64_t bytes_per_second)
{
    return xenfork__qmp_run(
        ctx, domid, "block-stream",
        "{\"job-id\":\"%s\",\"device\":\"%s\",\"speed\":%" PRIu64 "}", id,
        top->node, bytes_per_second);
}

/* Holes stay holes: zeroes are discarded, not written. */
static int add_node(xenfork_ctx *ctx, uint32_t domid, const char *node,
                    const struct xenfork__image *image, bool is_direct)
{
    cleanup_free char *file = xenfork__qmp_quote(image->path);
    const char *direct = is_direct ? "true" : "false";

    if (!file)
        return xenfork__nomem(ctx);
    return xenfork__qmp_run(ctx, domid, "blockdev-add",
                            "{\"driver\":\"%s\",\"node-name\":\"%s\","
                            "\"discard\":\"unmap\",\"cache\":{\"direct\":%s},"
                            "\"file\":{\"driver\":\"file\",\"locking\":\"off\","
                            "\"discard\":\"unmap\",\"cache\":{\"direct\":%s},"
                            "\"filename\":%s}}",
                            image->format, node, direct, direct, file);
}

int xenfork__sys_qemu_mirror(xenfork_ctx *ctx, uint32_t domid,
                             const struct xenfork__qemu_top *top,
                             const char *id, const struct xenfork__image *to,
                             uint64_t bytes_per_second)
{
    int rc;

    /* Of an earlier job, for the same file. */
    if ((rc = xenfork__sys_qemu_remove(ctx, domid, id)) < 0 ||
        (rc = add_node(ctx, domid, id, to, top->is_direct)) < 0)
        return rc;
    rc = xenfork__qmp_run(
        ctx, domid, "blockdev-mirror",
        "{\"job-id\":\"%s\",\"device\":\"%s\",\"target\":\"%s\","
        "\"sync\":\"full\",\"copy-mode\":\"write-blocking\","
        "\"speed\":%" PRIu64 "}",
        id, top->node, id, bytes_per_second);
    if (rc < 0) {
        __auto_type error = ctx->error;

        xenfork__sys_qemu_remove(ctx, domid, id);
        ctx->error = error;
    }
    return rc;
}

int xenfork__sys_qemu_speed(xenfork_ctx *ctx, uint32_t domid, const char *id,
                            uint64_t bytes_per_second)
{
    return xenfork__qmp_run(ctx, domid, "block-job-set-speed",
                            "{\"device\":\"%s\",\"speed\":%" PRIu64 "}", id,
                            bytes_per_second);
}

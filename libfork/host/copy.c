/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Images copied from format to format: by qemu-img, which knows them all. */
#include "host/host.h"
#include "host/run.h"
#include "state/files.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Parse " (12.34/100%)\r", which comes at any time; pieces may end anywhere. */
static int heard(xenfork_ctx *ctx, void *opaque, const char *text)
{
    const struct xenfork__copy *copy = opaque;
    const char *open = strrchr(text, '(');
    double percent = open ? strtod(open + 1, NULL) : -1;

    /* Not a whole one: nothing new, but a time to be stopped. */
    if (!(percent >= 0 && percent <= 100))
        return copy->step(ctx, copy->opaque, UINT32_MAX);
    return copy->step(ctx, copy->opaque, (uint32_t)(percent * 10));
}

/*
 * Flush the new copy before the old one is removed: it must outlive a power
 * cut.
 */
static int make_durable(xenfork_ctx *ctx, const char *path)
{
    int rc = xenfork__sys_disk_flush(ctx, path);

    return rc < 0 ? rc : xenfork__names_sync(ctx, path);
}

/* When we are killed it ends, too: the next one works on the same file. */
#define UNTIL_WE_DIE "setpriv", "--pdeathsig", "KILL", "--"

int xenfork__sys_copy(xenfork_ctx *ctx, const struct xenfork__copy *copy)
{
    char rate[24];
    const char *argv[20] = {
        UNTIL_WE_DIE, "qemu-img",       "convert", "-p",
        "-f",         copy->src_format, "-O",      copy->dst_format};
    size_t n = 11;
    int rc;

    snprintf(rate, sizeof(rate), "%" PRIu64, copy->bytes_per_second);
    if (copy->bytes_per_second) {
        argv[n++] = "-r";
        argv[n++] = rate;
    }
    argv[n++] = "--";
    argv[n++] = copy->src;
    argv[n++] = copy->dst;
    rc = xenfork__sys_run_long(ctx, XENFORK_E_DISK, argv, heard,
                               (void *)(uintptr_t)copy);
    return rc < 0 ? rc : make_durable(ctx, copy->dst);
}

int xenfork__sys_flatten(xenfork_ctx *ctx, const struct xenfork__copy *copy)
{
    const char *const argv[] = {UNTIL_WE_DIE, "qemu-img", "rebase", "-p",
                                "-f",         "qcow2",    "-b",     "",
                                "--",         copy->src,  NULL};
    int rc = xenfork__sys_run_long(ctx, XENFORK_E_DISK, argv, heard,
                                   (void *)(uintptr_t)copy);

    return rc < 0 ? rc : make_durable(ctx, copy->src);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Stop the guest while QEMU begins to copy its disk, or pivots. */
#include "disk/qcow2/driver.h"

#define DRAIN_LIMIT_MS 10000U
#define MAX_TRIES      3U

int xenfork__qcow2_stop(xenfork_ctx *ctx, uint32_t domid, bool *has_paused_out)
{
    struct xenfork__dominfo info;
    int rc = xenfork__xen_info(ctx, domid, &info);

    if (rc < 0)
        return rc;
    if (!info.is_shutdown && !info.is_paused) {
        rc = xenfork__xen_pause(ctx, domid);
        if (rc < 0)
            return rc;
        *has_paused_out = true;
    }
    return xenfork__xen_drain(ctx, domid, DRAIN_LIMIT_MS);
}

/*
 * Begin a copy once; if the user has unpaused the domain meanwhile, QEMU may
 * have missed a write.
 */
static int copy_once(xenfork_ctx *ctx, uint32_t domid,
                     xenfork__qcow2_copy_fn *begin, const void *opaque,
                     bool *has_run_out)
{
    struct xenfork__dominfo before, after = {.is_paused = true};
    bool has_paused = false;
    int rc, r;

    rc = xenfork__qcow2_stop(ctx, domid, &has_paused);
    if (rc == 0 && (rc = xenfork__xen_info(ctx, domid, &before)) == 0 &&
        (rc = begin(ctx, opaque)) == 0 &&
        (rc = xenfork__xen_info(ctx, domid, &after)) == 0)
        *has_run_out = before.cpu_ns != after.cpu_ns;
    if (has_paused && after.is_paused &&
        (r = xenfork__xen_unpause(ctx, domid)) < 0)
        rc = r;
    return rc;
}

int xenfork__qcow2_copy(xenfork_ctx *ctx, uint32_t domid, const char *vdev,
                        xenfork__qcow2_copy_fn *begin, const void *opaque)
{
    uint32_t i;

    for (i = 0; i < MAX_TRIES; i++) {
        bool has_run = false;
        int rc = copy_once(ctx, domid, begin, opaque, &has_run);

        if (rc < 0 || !has_run)
            return rc;
        rc = xenfork__sys_qemu_cancel(ctx, domid, vdev);
        if (rc < 0)
            return rc;
    }
    xenfork__fail(ctx, XENFORK_E_BUSY, 0,
                  "domain %u: another program keeps pausing and unpausing it",
                  domid);
    return xenfork__remedy(ctx, "try again when that has ended");
}

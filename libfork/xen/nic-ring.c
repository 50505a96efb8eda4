/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Wait until a NIC has taken the frames that the guest gave it before it was
 * connected.  The grants are to the backend's domain, which is ours: so we can
 * map them, too.  The guest's data are read with bounds, and believed only to
 * its own harm.
 */
#include "xen/handles.h"

#include "xen/xen.h"

#include <inttypes.h>
#include <sys/mman.h>
#include <time.h>
#include <xengnttab.h>

#define MAX_QUEUES 64U
#define POLL_NS    500000L
#define SETTLE_NS  10000000L /* answered, and on its way through the kernel */

/*
 * Wait until the backend has answered everything that is there now; false: it
 * took too long.
 */
static bool wait_for_backend(xengnttab_handle *gnttab, uint32_t domid,
                             uint32_t ref, uint64_t end_ns)
{
    void *page = xengnttab_map_grant_ref(gnttab, domid, ref, PROT_READ);
    const volatile struct xenfork__ring_head *head = page;
    uint32_t last;

    if (!head)
        return true;
    last = head->req_prod;
    while ((int32_t)(head->rsp_prod - last) < 0 && xenfork__now_ns() < end_ns)
        xenfork__sleep_ns(POLL_NS);
    last -= head->rsp_prod;
    xengnttab_unmap(gnttab, page, 1);
    return (int32_t)last <= 0;
}

static bool wait_for_all(xenfork_ctx *ctx, xengnttab_handle *gnttab,
                         uint32_t domid, const char *frontend, uint64_t end_ns)
{
    uint32_t i, ref, count = 1;
    bool is_empty = true;

    if (xenfork__xs_u32(ctx, &count, "%s/multi-queue-num-queues", frontend) <
            0 ||
        count > MAX_QUEUES)
        return true;
    /* As netback does: one queue is not in a directory of its own. */
    if (count <= 1)
        return xenfork__xs_u32(ctx, &ref, "%s/tx-ring-ref", frontend) != 1 ||
               wait_for_backend(gnttab, domid, ref, end_ns);
    for (i = 0; i < count && is_empty; i++)
        if (xenfork__xs_u32(ctx, &ref, "%s/queue-%u/tx-ring-ref", frontend,
                            i) == 1)
            is_empty = wait_for_backend(gnttab, domid, ref, end_ns);
    return is_empty;
}

void xenfork__xen_nic_flush(xenfork_ctx *ctx, uint32_t domid, int devid,
                            uint32_t timeout_ms)
{
    cleanup_free char *frontend = xenfork__xs_read(
        ctx, XBT_NULL, "/libxl/%u/device/vif/%d/frontend", domid, devid);
    uint64_t end_ns = xenfork__now_ns() + timeout_ms * 1000000ULL;
    xengnttab_handle *gnttab = xengnttab_open(ctx->xen->logger, 0);

    if (!gnttab || !frontend)
        LOG_DEBUG(ctx, "domain %u: NIC %d has no rings to look at", domid,
                  devid);
    else if (wait_for_all(ctx, gnttab, domid, frontend, end_ns))
        LOG_DEBUG(ctx, "domain %u: all that was given to NIC %d is sent", domid,
                  devid);
    else
        LOG_WARN(ctx,
                 "domain %u: NIC %d has not sent what it was given before "
                 "within %u ms, ignoring",
                 domid, devid, timeout_ms);
    xenfork__sleep_ns(SETTLE_NS);
    if (gnttab)
        xengnttab_close(gnttab);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Block rings of a suspended domain: wait until the backends have answered
 * everything, so that the disks hold all that the guest was told is written.
 * The grants are to the domain that the backend is in, which is ours: so we can
 * map them as well.  Everything that the guest wrote, in xenstore and in the
 * rings, is read with bounds and believed only to its own harm.
 */
#include "xen/handles.h"

#include "xen/xen.h"

#include <inttypes.h>
#include <sys/mman.h>
#include <time.h>
#include <xengnttab.h>

#define MAX_QUEUES 256U
#define MAX_RINGS  4096U
#define POLL_NS    200000L
#define CONNECTED  4U /* XenbusStateConnected, io/xenbus.h */

struct ring {
    const struct xenfork__ring_head *head;
    uint32_t devid;
};

struct rings {
    xengnttab_handle *gnttab;
    uint32_t domid;
    uint32_t count;
    struct ring *ring;
};

static void close_rings(struct rings *rings)
{
    uint32_t i;

    for (i = 0; i < rings->count; i++)
        xengnttab_unmap(rings->gnttab, (void *)(uintptr_t)rings->ring[i].head,
                        1);
    free(rings->ring);
    if (rings->gnttab)
        xengnttab_close(rings->gnttab);
}

static int map_ring(xenfork_ctx *ctx, struct rings *rings, uint32_t devid,
                    uint32_t ref)
{
    struct ring *ring;

    if (rings->count == MAX_RINGS)
        return xenfork__fail(ctx, XENFORK_E_XEN, 0,
                             "domain %u has too many block rings",
                             rings->domid);
    ring = realloc(rings->ring, (rings->count + 1) * sizeof(*ring));
    if (!ring)
        return xenfork__nomem(ctx);
    rings->ring = ring;
    ring += rings->count;
    ring->devid = devid;
    ring->head = xengnttab_map_grant_ref(rings->gnttab, rings->domid, ref,
                                         PROT_READ);
    if (!ring->head)
        return xenfork__fail(ctx, XENFORK_E_XEN, errno,
                             "cannot map a ring of disk %u of domain %u", devid,
                             rings->domid);
    rings->count++;
    return 0;
}

static int bad_ring(xenfork_ctx *ctx, uint32_t domid, uint32_t devid)
{
    return xenfork__fail(ctx, XENFORK_E_XEN, errno,
                         "cannot find the rings of disk %u of domain %u", devid,
                         domid);
}

/* Add a ring; the first page is the only one, or the first of several. */
static int add_ring(xenfork_ctx *ctx, struct rings *rings, uint32_t devid,
                    const char *dir)
{
    uint32_t ref;
    int r;

    r = xenfork__xs_u32(ctx, &ref, "%s/ring-ref", dir);
    if (r == 0)
        r = xenfork__xs_u32(ctx, &ref, "%s/ring-ref0", dir);
    if (r < 0)
        return bad_ring(ctx, rings->domid, devid);
    return r ? map_ring(ctx, rings, devid, ref) : 0;
}

static int add_queues(xenfork_ctx *ctx, struct rings *rings, uint32_t devid,
                      const char *frontend)
{
    cleanup_free char *dir = NULL;
    uint32_t i, count = 1;
    int r, rc = 0;

    r = xenfork__xs_u32(ctx, &count, "%s/multi-queue-num-queues", frontend);
    if (r > 0 && count > MAX_QUEUES)
        errno = ERANGE;
    if (r < 0 || count > MAX_QUEUES)
        return bad_ring(ctx, rings->domid, devid);
    /* As the backends do: one queue is not in a directory of its own. */
    if (count <= 1)
        return add_ring(ctx, rings, devid, frontend);
    for (i = 0; rc == 0 && i < count; i++) {
        free(dir);
        if (asprintf(&dir, "%s/queue-%u", frontend, i) < 0) {
            dir = NULL;
            return xenfork__nomem(ctx);
        }
        rc = add_ring(ctx, rings, devid, dir);
    }
    return rc;
}

/* Tell whether the disk is served by a backend in our domain, and in use. */
static bool is_served_here(xenfork_ctx *ctx, const char *backend, uint32_t own)
{
    uint32_t server, state;

    return sscanf(backend, "/local/domain/%" SCNu32 "/backend/", &server) ==
               1 &&
           server == own &&
           xenfork__xs_u32(ctx, &state, "%s/state", backend) == 1 &&
           state == CONNECTED;
}

static int add_disk_rings(xenfork_ctx *ctx, struct rings *rings, uint32_t own,
                          const char *name)
{
    cleanup_free char *backend = xenfork__xs_read(
        ctx, XBT_NULL, "/libxl/%u/device/vbd/%s/backend", rings->domid, name);
    cleanup_free char *frontend = xenfork__xs_read(
        ctx, XBT_NULL, "/libxl/%u/device/vbd/%s/frontend", rings->domid, name);
    uint32_t devid;

    if (!backend || !frontend || !xenfork__parse_u32(name, &devid) ||
        !is_served_here(ctx, backend, own))
        return 0;
    return add_queues(ctx, rings, devid, frontend);
}

static int add_disks(xenfork_ctx *ctx, struct rings *rings)
{
    uint32_t own = xenfork__own_domid(ctx);
    unsigned int i, count = 0;
    cleanup_free char **names = xenfork__xs_list(
        ctx, &count, "/libxl/%u/device/vbd", rings->domid);
    int rc = 0;

    if (!names && errno != ENOENT)
        return xenfork__fail(ctx, XENFORK_E_XEN, errno,
                             "cannot list the disks of domain %u",
                             rings->domid);
    if (!names || !count)
        return 0;
    rings->gnttab = xengnttab_open(ctx->xen->logger, 0);
    if (!rings->gnttab)
        return xenfork__fail(ctx, XENFORK_E_XEN, errno,
                             "cannot open Xen's grant device");
    for (i = 0; rc == 0 && i < count; i++)
        rc = add_disk_rings(ctx, rings, own, names[i]);
    return rc;
}

/*
 * Tell whether a ring is empty: the guest does not run, so req_prod stands, and
 * rsp_prod comes up to it.
 */
static bool is_empty(const struct ring *ring)
{
    const volatile struct xenfork__ring_head *head = ring->head;

    return head->rsp_prod == head->req_prod;
}

static int wait_empty(xenfork_ctx *ctx, const struct rings *rings,
                      uint32_t timeout_ms)
{
    uint64_t end_ns = xenfork__now_ns() + timeout_ms * 1000000ULL;
    uint32_t i;

    for (i = 0; i < rings->count; i++) {
        while (!is_empty(&rings->ring[i])) {
            if (xenfork__now_ns() >= end_ns)
                return xenfork__fail(
                    ctx, XENFORK_E_TIMEOUT, 0,
                    "disk %u of domain %u is still busy after %u ms",
                    rings->ring[i].devid, rings->domid, timeout_ms);
            if (xenfork__xen_has_ended(ctx, rings->domid))
                return xenfork__fail(ctx, XENFORK_E_NOTRUNNING, 0,
                                     "domain %u has been destroyed",
                                     rings->domid);
            xenfork__sleep_ns(POLL_NS);
        }
    }
    return 0;
}

#if ENABLE_TEST_HOOKS
/* Tell whether XENFORK_TEST_NO_DRAIN is set, to show what the drain is for. */
static bool is_skipped(void)
{
    return getenv("XENFORK_TEST_NO_DRAIN");
}
#else
static bool is_skipped(void)
{
    return false;
}
#endif

/* Count the requests in flight; a guest's data may make it any number. */
static uint32_t count_pending(const struct rings *rings)
{
    uint32_t i, count = 0;

    for (i = 0; i < rings->count; i++) {
        const volatile struct xenfork__ring_head *head = rings->ring[i].head;

        count += head->req_prod - head->rsp_prod;
    }
    return count;
}

int xenfork__xen_drain(xenfork_ctx *ctx, uint32_t domid, uint32_t timeout_ms)
{
    struct rings rings = {.domid = domid};
    int rc;

    rc = add_disks(ctx, &rings);
    if (rc == 0 && !is_skipped())
        rc = wait_empty(ctx, &rings, timeout_ms);
    if (rc == 0)
        LOG_DEBUG(ctx, "domain %u: %u requests in flight on %u block rings",
                  domid, count_pending(&rings), rings.count);
    close_rings(&rings);
    return rc;
}

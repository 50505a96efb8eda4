/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * In place of xen/enomem.c: the rings of domains.  A ring outlives its
 * listener, and is heard by nobody then.
 */
#include "config.h"

#include "fake-host.h"

#include <stdlib.h>

struct xenfork__host_rings {
    uint32_t listener;
};

int xenfork__host_rings_open(xenfork_ctx *ctx,
                             struct xenfork__host_rings **rings_out)
{
    FAKE_ENTER(ctx);
    *rings_out = calloc(1, sizeof(**rings_out));
    if (!*rings_out)
        abort();
    (*rings_out)->listener = ++fake_host->listeners;
    return fake_leave(0);
}

void xenfork__host_rings_close(struct xenfork__host_rings *rings)
{
    free(rings);
}

int xenfork__host_rings_fd(const struct xenfork__host_rings *rings)
{
    (void)rings;
    return -1;
}

static struct fake_domain *heard(const struct xenfork__host_rings *rings,
                                 uint32_t domid)
{
    struct fake_domain *d = fake_domain(domid);

    return d && d->has_ring && d->listener == rings->listener ? d : NULL;
}

int xenfork__host_ring_add(xenfork_ctx *ctx, struct xenfork__host_rings *rings,
                           uint32_t domid)
{
    struct fake_domain *d = fake_domain(domid);

    FAKE_ENTER(ctx);
    if (!d || d->is_dying)
        return fake_leave(
            xenfork__fail(ctx, XENFORK_E_XEN, 0, "no domain %u", domid));
    if (fake->has_no_memory)
        return fake_leave(
            xenfork__fail(ctx, XENFORK_E_HOSTMEM, 0, "no page for a ring"));
    if (d->is_image)
        fake_violation("a ring for image %u", domid);
    d->has_ring = true;
    d->listener = rings->listener;
    return fake_leave(0);
}

void xenfork__host_ring_forget(struct xenfork__host_rings *rings,
                               uint32_t domid)
{
    (void)rings;
    (void)domid;
}

bool xenfork__host_ring_has(const struct xenfork__host_rings *rings,
                            uint32_t domid)
{
    return heard(rings, domid);
}

bool xenfork__host_ring_was(xenfork_ctx *ctx, uint32_t domid)
{
    const struct fake_domain *d = fake_domain(domid);

    (void)ctx;
    return d && d->has_ring;
}

int xenfork__host_rings_event(struct xenfork__host_rings *rings,
                              uint32_t *domid_out)
{
    uint32_t i;

    *domid_out = XENFORK_DOMID_NONE;
    if (fake_host->is_low) {
        fake_host->is_low = false;
        return XENFORK__RING_LOW;
    }
    for (i = 0; i < FAKE_DOMAINS; i++) {
        struct fake_domain *d = heard(rings, fake->domains[i].domid);

        if (!d || !d->has_ring_event)
            continue;
        d->has_ring_event = false;
        *domid_out = d->domid;
        return XENFORK__RING_WAITS;
    }
    return XENFORK__RING_NONE;
}

bool xenfork__host_ring_waits(const struct xenfork__host_rings *rings,
                              uint32_t domid)
{
    const struct fake_domain *d = heard(rings, domid);

    return d && d->is_waiting;
}

int xenfork__host_ring_answer(xenfork_ctx *ctx,
                              struct xenfork__host_rings *rings, uint32_t domid)
{
    struct fake_domain *d = heard(rings, domid);

    FAKE_ENTER(ctx);
    /* The vCPU tries the same access again. */
    if (d && d->is_waiting)
        d->is_waiting = d->has_ring_event = !d->claimed_pages &&
                                            fake->free_pages <= fake_claimed();
    return fake_leave(0);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Listen to domains that find no memory.  Xen crashes a domain that writes to
 * a shared page when there is no page left for its copy, unless the domain has
 * a sharing ring: then Xen pauses the vCPU, puts a request into the ring, and
 * the vCPU tries the same access again when it is answered
 * (hvm_hap_nested_page_fault(), mem_sharing_notify_enomem(); 4.17 to 4.22).
 * The ring outlives us: a vCPU that finds no memory while nobody listens
 * waits for the next listener.
 */
#include "xen/events.h"

#include "xen/handles.h" /* first: Xen's headers rest on it */

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <xenevtchn.h>
#include <xen/hvm/params.h>
#include <xen/vm_event.h>

#include "xen/xen.h"

/*
 * The ring's page is put into a hole of the guest's, and taken out of its sight
 * at once: Xen believes what the ring says.  The guest must not know where: a
 * grant of that gfn, which a backend maps meanwhile, would outlive that.  To
 * pause it would not help, since backends go on with its requests; and a daemon
 * that is killed would leave it paused.  So the place is drawn anew for each
 * ring: where devices of any guest may be, below what PVH guests have their
 * ACPI tables in; or, if Xen has no page for another table there, where the
 * special pages have one: after the local APIC's page, before what hvmloader
 * takes downwards from those for ioreq servers at 0xfeff0 (xg_dom_x86.c, 4.17).
 */
#define WIDE_FIRST   0xf0000U
#define WIDE_COUNT   0xc000U
#define NARROW_FIRST 0xfee10U
#define NARROW_COUNT 0x170U
#define DRAWS        32U
#define MAX_VCPUS 512U

struct ring {
    struct ring *next;
    uint32_t domid;
    uint32_t vcpus;
    xen_pfn_t gfn;      /* of the page, while it is set up */
    evtchn_port_t port; /* ours */
    void *page;
    vm_event_back_ring_t back;
    uint8_t waits[MAX_VCPUS];
    bool has_waiting;
};

struct xenfork__host_rings {
    xenevtchn_handle *evtchn;
    xenforeignmemory_handle *fmem; /* of the context */
    evtchn_port_t low_port;        /* VIRQ_ENOMEM; 0: none */
    struct ring *first;
};

int xenfork__host_rings_open(xenfork_ctx *ctx,
                             struct xenfork__host_rings **rings_out)
{
    cleanup_free struct xenfork__host_rings *rings = calloc(1, sizeof(*rings));
    xenevtchn_port_or_error_t port;

    if (!rings)
        return xenfork__nomem(ctx);
    rings->fmem = ctx->xen->fmem;
    rings->evtchn = xenevtchn_open(ctx->xen->logger, 0);
    if (!rings->evtchn)
        return xenfork__fail(ctx, XENFORK_E_XEN, errno,
                             "cannot listen to event channels");
    if (fcntl(xenevtchn_fd(rings->evtchn), F_SETFL, O_NONBLOCK) < 0) {
        xenevtchn_close(rings->evtchn);
        return xenfork__fail(ctx, XENFORK_E_XEN, errno,
                             "cannot listen to event channels");
    }
    /* Somebody else may have it: then looks from time to time must do. */
    port = xenevtchn_bind_virq(rings->evtchn, VIRQ_ENOMEM);
    rings->low_port = port > 0 ? (evtchn_port_t)port : 0;
    *rings_out = steal_ptr(rings);
    return 0;
}

int xenfork__host_rings_fd(const struct xenfork__host_rings *rings)
{
    return rings ? xenevtchn_fd(rings->evtchn) : -1;
}

/* Free a ring; Xen goes on filling it. */
static void free_ring(struct xenfork__host_rings *rings, struct ring *ring)
{
    if (ring->port)
        xenevtchn_unbind(rings->evtchn, ring->port);
    if (ring->page)
        xenforeignmemory_unmap(rings->fmem, ring->page, 1);
    free(ring);
}

void xenfork__host_ring_forget(struct xenfork__host_rings *rings,
                               uint32_t domid)
{
    struct ring **at;

    for (at = &rings->first; *at; at = &(*at)->next) {
        struct ring *ring = *at;

        if (ring->domid != domid)
            continue;
        *at = ring->next;
        free_ring(rings, ring);
        return;
    }
}

void xenfork__host_rings_close(struct xenfork__host_rings *rings)
{
    if (!rings)
        return;
    while (rings->first)
        xenfork__host_ring_forget(rings, rings->first->domid);
    xenevtchn_close(rings->evtchn);
    free(rings);
}

static struct ring *find_ring(const struct xenfork__host_rings *rings,
                              uint32_t domid)
{
    struct ring *ring = rings->first;

    while (ring && ring->domid != domid)
        ring = ring->next;
    return ring;
}

bool xenfork__host_ring_has(const struct xenfork__host_rings *rings,
                            uint32_t domid)
{
    return find_ring(rings, domid);
}

/* Take an old ring away; its vCPUs go on waiting. */
static void disable_old(xenfork_ctx *ctx, uint32_t domid)
{
    xenfork__count(ctx, XENFORK_COUNT_HYPERCALLS, 1);
    xc_memshr_ring_disable(ctx->xen->xch, domid);
}

/*
 * Enable the ring, whose page the domain has now.  The parameter that says
 * where it is gets back its value, for the domain's own special page.
 */
static int enable(xenfork_ctx *ctx, struct ring *ring, uint32_t *remote_out)
{
    xc_interface *xch = ctx->xen->xch;
    uint64_t before = 0;
    int r, e;

    xenfork__count(ctx, XENFORK_COUNT_HYPERCALLS, 4);
    if (xc_hvm_param_get(xch, ring->domid, HVM_PARAM_SHARING_RING_PFN,
                         &before) ||
        xc_hvm_param_set(xch, ring->domid, HVM_PARAM_SHARING_RING_PFN,
                         ring->gfn))
        return errno;
    r = xc_memshr_ring_enable(xch, ring->domid, remote_out);
    e = errno;
    xc_hvm_param_set(xch, ring->domid, HVM_PARAM_SHARING_RING_PFN, before);
    return r ? e : 0;
}

/* Let the domain own one page more, if it owns all that it may. */
static int allow_page(xenfork_ctx *ctx, const struct xenfork__dominfo *info)
{
    return info->private_pages < info->max_pages
               ? 0
               : xenfork__xen_set_max_pages(ctx, info->domid,
                                            info->private_pages + 1);
}

/*
 * Begin at our end, where Xen has begun at its own, with 0.  The guest may have
 * written to the page until a moment ago: what Xen is to take must not be its.
 */
static void clear_indices(struct ring *ring)
{
    vm_event_sring_t *sring = ring->page;

    sring->rsp_prod = 0;
    BACK_RING_INIT(&ring->back, sring, XENFORK__PAGE_SIZE);
    /* Those that wait since the last listener, or since an instant ago. */
    memset(ring->waits, true, ring->vcpus);
    ring->has_waiting = true;
}

/* Note whether there is a ring: "0": perhaps. */
static int note_ring(xenfork_ctx *ctx, uint32_t domid, const char *value)
{
    return xenfork__xs_write(ctx, XBT_NULL, value, XENFORK__RING_NOTE, domid)
               ? 0
               : errno;
}

/*
 * Have Xen take the page, which the domain has, and take it out of its sight.
 */
static int set_up_ring(xenfork_ctx *ctx, struct xenfork__host_rings *rings,
                       struct ring *ring)
{
    xc_interface *xch = ctx->xen->xch;
    xen_pfn_t gfn = ring->gfn;
    xenevtchn_port_or_error_t port;
    uint32_t remote = 0;
    int e;

    xenfork__count(ctx, XENFORK_COUNT_HYPERCALLS, 3);
    ring->page = xenforeignmemory_map(rings->fmem, ring->domid,
                                      PROT_READ | PROT_WRITE, 1, &gfn, NULL);
    e = ring->page ? 0 : errno;
    /* It may hold anything, as an earlier ring, which Xen does not clear. */
    if (!e) {
        memset(ring->page, 0, XENFORK__PAGE_SIZE);
        disable_old(ctx, ring->domid);
        e = enable(ctx, ring, &remote);
    }
    gfn = ring->gfn;
    if (xc_domain_decrease_reservation_exact(xch, ring->domid, 1, 0, &gfn) &&
        !e)
        e = errno;
    if (e)
        return e;
    clear_indices(ring);
    port = xenevtchn_bind_interdomain(rings->evtchn, ring->domid, remote);
    if (port < 0)
        return errno;
    ring->port = (evtchn_port_t)port;
    return note_ring(ctx, ring->domid, "1");
}

/* Draw a gfn of a range where the domain has nothing; 0: none was found. */
static int draw_gfn(xenfork_ctx *ctx, uint32_t domid, uint32_t first,
                    uint32_t count, uint64_t *gfn_out)
{
    uint32_t i, n;
    uint64_t gfn;
    bool is;
    int rc;

    *gfn_out = 0;
    for (i = 0; i < DRAWS; i++) {
        if (getrandom(&n, sizeof(n), 0) != (ssize_t)sizeof(n))
            return xenfork__fail(ctx, XENFORK_E_IO, errno,
                                 "cannot draw a random number");
        gfn = first + n % count;
        rc = xenfork__xen_present_at(ctx, domid, &gfn, 1, &is);
        if (rc < 0)
            return rc;
        if (!is) {
            *gfn_out = gfn;
            return 0;
        }
    }
    return 0;
}

static int populate_at(xenfork_ctx *ctx, struct ring *ring, uint32_t first,
                       uint32_t count, bool *is_out)
{
    xen_pfn_t gfn;
    uint64_t drawn;
    int rc = draw_gfn(ctx, ring->domid, first, count, &drawn);

    *is_out = false;
    if (rc < 0 || !drawn)
        return rc;
    ring->gfn = gfn = drawn;
    xenfork__count(ctx, XENFORK_COUNT_HYPERCALLS, 1);
    *is_out = xc_domain_populate_physmap_exact(ctx->xen->xch, ring->domid, 1, 0,
                                               0, &gfn) == 0;
    return 0;
}

static int get_ring_page(xenfork_ctx *ctx, struct ring *ring)
{
    bool is;
    int rc = populate_at(ctx, ring, WIDE_FIRST, WIDE_COUNT, &is);

    if (rc == 0 && !is)
        rc = populate_at(ctx, ring, NARROW_FIRST, NARROW_COUNT, &is);
    if (rc < 0 || is)
        return rc;
    /* The caller says so once, and tries again and again. */
    return xenfork__miss(ctx, XENFORK_E_HOSTMEM,
                         "domain %u: cannot get a page to listen to it",
                         ring->domid);
}

int xenfork__host_ring_add(xenfork_ctx *ctx, struct xenfork__host_rings *rings,
                           uint32_t domid)
{
    struct xenfork__dominfo info;
    struct ring *ring;
    int rc = xenfork__xen_info(ctx, domid, &info);
    int e;

    if (rc < 0 || (rc = allow_page(ctx, &info)) < 0)
        return rc;
    ring = calloc(1, sizeof(*ring));
    if (!ring)
        return xenfork__nomem(ctx);
    ring->domid = domid;
    ring->vcpus = info.max_vcpus < MAX_VCPUS ? info.max_vcpus : MAX_VCPUS;
    /* As long as there is no page for another, an old ring stays. */
    rc = get_ring_page(ctx, ring);
    if (rc < 0) {
        free_ring(rings, ring);
        return rc;
    }
    /* Before it is there: the next listener finds it by this. */
    e = note_ring(ctx, domid, "0");
    e = e ? e : set_up_ring(ctx, rings, ring);
    if (e) {
        disable_old(ctx, domid);
        free_ring(rings, ring);
        return xenfork__fail(ctx,
                             e == ENOMEM ? XENFORK_E_HOSTMEM : XENFORK_E_XEN, e,
                             "domain %u: cannot listen to it", domid);
    }
    ring->next = rings->first;
    rings->first = ring;
    return 0;
}

bool xenfork__host_ring_was(xenfork_ctx *ctx, uint32_t domid)
{
    cleanup_free char *note = xenfork__xs_read(ctx, XBT_NULL,
                                               XENFORK__RING_NOTE, domid);

    return note;
}

/* Note which vCPUs wait; what Xen has put into the ring is Xen's own. */
static void consume(struct ring *ring)
{
    RING_IDX prod = ring->back.sring->req_prod;
    vm_event_request_t req;

    xen_rmb();
    if (prod - ring->back.req_cons > RING_SIZE(&ring->back)) {
        ring->back.req_cons = prod;
        memset(ring->waits, true, ring->vcpus);
        ring->has_waiting = true;
    }
    while (ring->back.req_cons != prod) {
        memcpy(&req, RING_GET_REQUEST(&ring->back, ring->back.req_cons),
               sizeof(req));
        ring->back.req_cons++;
        /* A backend's access is no vCPU's of this domain. */
        if (!(req.flags & VM_EVENT_FLAG_VCPU_PAUSED) ||
            (req.flags & VM_EVENT_FLAG_FOREIGN) || req.vcpu_id >= ring->vcpus)
            continue;
        ring->waits[req.vcpu_id] = true;
        ring->has_waiting = true;
    }
    ring->back.sring->req_event = prod + 1;
}

int xenfork__host_rings_event(struct xenfork__host_rings *rings,
                              uint32_t *domid_out)
{
    xenevtchn_port_or_error_t port = xenevtchn_pending(rings->evtchn);
    struct ring *ring;

    *domid_out = XENFORK_DOMID_NONE;
    if (port < 0)
        return XENFORK__RING_NONE;
    xenevtchn_unmask(rings->evtchn, (evtchn_port_t)port);
    if ((evtchn_port_t)port == rings->low_port)
        return XENFORK__RING_LOW;
    for (ring = rings->first; ring; ring = ring->next)
        if (ring->port == (evtchn_port_t)port) {
            consume(ring);
            *domid_out = ring->domid;
        }
    return XENFORK__RING_WAITS;
}

bool xenfork__host_ring_waits(const struct xenfork__host_rings *rings,
                              uint32_t domid)
{
    struct ring *ring = find_ring(rings, domid);

    if (ring)
        consume(ring);
    return ring && ring->has_waiting;
}

/* Push what is in the ring, and have Xen take it. */
static bool push(xenfork_ctx *ctx, struct ring *ring)
{
    xen_wmb();
    ring->back.sring->rsp_prod = ring->back.rsp_prod_pvt;
    xenfork__count(ctx, XENFORK_COUNT_HYPERCALLS, 1);
    return xc_memshr_domain_resume(ctx->xen->xch, ring->domid) == 0;
}

int xenfork__host_ring_answer(xenfork_ctx *ctx,
                              struct xenfork__host_rings *rings, uint32_t domid)
{
    struct ring *ring = find_ring(rings, domid);
    vm_event_response_t response = {.version = VM_EVENT_INTERFACE_VERSION,
                                    .reason = VM_EVENT_REASON_MEM_SHARING,
                                    .flags = VM_EVENT_FLAG_VCPU_PAUSED};
    bool ok = true;
    uint32_t i;

    for (i = 0; ring && ok && i < ring->vcpus; i++) {
        if (!ring->waits[i])
            continue;
        response.vcpu_id = i;
        memcpy(RING_GET_RESPONSE(&ring->back, ring->back.rsp_prod_pvt),
               &response, sizeof(response));
        ring->back.rsp_prod_pvt++;
        /* One at a time: slots are shared with requests that come meanwhile. */
        ok = push(ctx, ring);
        ring->waits[i] = !ok;
    }
    if (!ok)
        return xenfork__fail(ctx, XENFORK_E_XEN, errno,
                             "domain %u: its vCPUs cannot go on", domid);
    if (ring)
        ring->has_waiting = false;
    return 0;
}

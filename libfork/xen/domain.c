/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Domains: found, described, paused, destroyed, waited for. */
#include "xen/handles.h"
#include "xen/hotplug.h"

#include <libxl_utils.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>

#define LIST_BATCH 64U
#define WATCH_PATH "@releaseDomain"

static void fill_info(const xc_domaininfo_t *xc, struct xenfork__dominfo *info)
{
    info->domid = xc->domain;
    memcpy(info->uuid, xc->handle, sizeof(info->uuid));
    info->is_hvm = xc->flags & XEN_DOMINF_hvm_guest;
    info->cpu_ns = xc->cpu_time;
    info->is_paused = xc->flags & XEN_DOMINF_paused;
    info->is_shutdown = xc->flags & XEN_DOMINF_shutdown;
    info->is_dying = xc->flags & XEN_DOMINF_dying;
    info->shutdown_reason = (int)((xc->flags >> XEN_DOMINF_shutdownshift) &
                                  XEN_DOMINF_shutdownmask);
    info->private_pages = xc->tot_pages;
    info->shared_pages = xc->shr_pages;
    info->claimed_pages = xc->outstanding_pages;
    info->max_pages = xc->max_pages;
    info->max_vcpus = xc->max_vcpu_id + 1;
    info->has_emulator = xc->arch_config.emulation_flags & XEN_X86_EMU_PM;
}

/*
 * List one domain: xc_domain_getinfo() is gone in 4.18, its successor is not in
 * 4.17.  Gives the next domain when there is no such one.
 */
static int list_domain(xenfork_ctx *ctx, uint32_t domid,
                       xc_domaininfo_t *xc_out)
{
    int r = xc_domain_getinfolist(ctx->xen->xch, domid, 1, xc_out);

    if (r < 0)
        return xenfork__fail(ctx, XENFORK_E_XEN, errno,
                             "cannot get information on domain %u", domid);
    if (r == 0 || xc_out->domain != domid)
        return xenfork__miss(ctx, XENFORK_E_NOTFOUND, "no domain %u", domid);
    return 0;
}

int xenfork__xen_info(xenfork_ctx *ctx, uint32_t domid,
                      struct xenfork__dominfo *info_out)
{
    xc_domaininfo_t xc;
    int rc;

    rc = list_domain(ctx, domid, &xc);
    if (rc < 0)
        return rc;
    fill_info(&xc, info_out);
    return 0;
}

int xenfork__xen_by_uuid(xenfork_ctx *ctx, const uint8_t uuid[16],
                         uint32_t *domid_out)
{
    xc_domaininfo_t xc[LIST_BATCH];
    uint32_t first = 0;
    int i, count;

    do {
        count = xc_domain_getinfolist(ctx->xen->xch, first, LIST_BATCH, xc);
        if (count < 0)
            return xenfork__fail(ctx, XENFORK_E_XEN, errno,
                                 "cannot list domains from %u on", first);
        for (i = 0; i < count; i++) {
            if (!(xc[i].flags & XEN_DOMINF_dying) &&
                !memcmp(xc[i].handle, uuid, sizeof(xc[i].handle))) {
                *domid_out = xc[i].domain;
                return 0;
            }
        }
        if (count > 0)
            first = xc[count - 1].domain + 1U;
    } while (count == (int)LIST_BATCH);
    return xenfork__miss(ctx, XENFORK_E_NOTFOUND, "no domain has the UUID");
}

int xenfork__xen_by_name(xenfork_ctx *ctx, const char *name,
                         uint32_t *domid_out)
{
    uint32_t domid;

    if (libxl_name_to_domid(ctx->xen->xl, name, &domid))
        return xenfork__miss(ctx, XENFORK_E_NOTFOUND,
                             "no domain has the name %s", name);
    *domid_out = domid;
    return 0;
}

int xenfork__xen_name(xenfork_ctx *ctx, uint32_t domid, char **name_out)
{
    char *name = xenfork__xs_read(ctx, XBT_NULL, "/local/domain/%u/name",
                                  domid);

    if (!name && errno == ENOENT)
        return xenfork__miss(ctx, XENFORK_E_NOTFOUND, "domain %u has no name",
                             domid);
    if (!name)
        return xenfork__fail(ctx, XENFORK_E_XEN, errno,
                             "cannot read the name of domain %u", domid);
    *name_out = name;
    return 0;
}

int xenfork__xen_names(xenfork_ctx *ctx, char ***names_out, size_t *count_out)
{
    unsigned int i, listed = 0;
    cleanup_free char **domids = xenfork__xs_list(ctx, &listed,
                                                  "/local/domain");
    char **names;
    size_t count = 0;

    if (!domids)
        return xenfork__fail(ctx, XENFORK_E_XEN, errno,
                             "cannot list the domains' names");
    names = calloc(listed + 1, sizeof(*names));
    if (!names)
        return xenfork__nomem(ctx);
    for (i = 0; i < listed; i++) {
        char *name = xenfork__xs_read(ctx, XBT_NULL, "/local/domain/%s/name",
                                      domids[i]);

        /* A domain that is destroyed meanwhile has no name. */
        if (name)
            names[count++] = name;
    }
    *names_out = names;
    *count_out = count;
    return 0;
}

int xenfork__xen_pause(xenfork_ctx *ctx, uint32_t domid)
{
    struct xenfork__op op;

    LOG_DEBUG(ctx, "pausing domain %u", domid);
    xenfork__op_init(&op);
    return xenfork__op_done(ctx, &op,
                            libxl_domain_pause(ctx->xen->xl, domid, &op.how),
                            "pause", domid);
}

int xenfork__xen_unpause(xenfork_ctx *ctx, uint32_t domid)
{
    struct xenfork__op op;

    LOG_DEBUG(ctx, "unpausing domain %u", domid);
    xenfork__op_init(&op);
    return xenfork__op_done(ctx, &op,
                            libxl_domain_unpause(ctx->xen->xl, domid, &op.how),
                            "unpause", domid);
}

int xenfork__xen_pause_vcpus(xenfork_ctx *ctx, uint32_t domid)
{
    if (xc_domain_pause(ctx->xen->xch, domid))
        return xenfork__fail(ctx, XENFORK_E_XEN, errno,
                             "cannot pause domain %u", domid);
    return 0;
}

int xenfork__xen_unpause_vcpus(xenfork_ctx *ctx, uint32_t domid)
{
    if (xc_domain_unpause(ctx->xen->xch, domid))
        return xenfork__fail(ctx, XENFORK_E_XEN, errno,
                             "cannot unpause domain %u", domid);
    return 0;
}

/*
 * Destroy a domain that has nothing.  Without libxl's type node it has no
 * devices, no processes and no stored configuration: libxl writes the node in
 * its first transaction, before any of these (libxl__domain_make, 4.17).  libxl
 * would take it for an HVM domain and log errors.  Names go first: then a kill
 * in between leaves a domain that is still found by its UUID.
 */
static int destroy_bare(xenfork_ctx *ctx, uint32_t domid)
{
    cleanup_free char *vm = xenfork__xs_read(ctx, XBT_NULL,
                                             "/local/domain/%u/vm", domid);

    if ((vm && !strncmp(vm, "/vm/", 4) && !xenfork__xs_rm(ctx, "%s", vm)) ||
        !xenfork__xs_rm(ctx, "/local/domain/%u", domid) ||
        !xenfork__xs_rm(ctx, "/libxl/%u", domid))
        return xenfork__fail(ctx, XENFORK_E_XEN, errno,
                             "cannot remove domain %u from xenstore", domid);
    if (xc_domain_destroy(ctx->xen->xch, domid) < 0 && errno != ESRCH)
        return xenfork__fail(ctx, XENFORK_E_XEN, errno,
                             "cannot destroy domain %u", domid);
    return 0;
}

int xenfork__xen_destroy(xenfork_ctx *ctx, uint32_t domid)
{
    cleanup_free char *type = NULL;
    struct xenfork__op op;
    xc_domaininfo_t xc;
    int r, rc;

    rc = list_domain(ctx, domid, &xc);
    if (rc == XENFORK_E_NOTFOUND)
        return 0;
    if (rc < 0)
        return rc;
    LOG_DEBUG(ctx, "destroying domain %u", domid);
    type = xenfork__xs_read(ctx, XBT_NULL, "/libxl/%u/type", domid);
    if (!type && errno != ENOENT)
        return xenfork__fail(ctx, XENFORK_E_XEN, errno,
                             "cannot read the type of domain %u", domid);
    if (!type)
        return destroy_bare(ctx, domid);
    if (strcmp(type, "pvh") || !xenfork__release_devices(ctx, domid))
        xenfork__hotplug_use_at_end(ctx, domid);
    xenfork__op_init(&op);
    r = libxl_domain_destroy(ctx->xen->xl, domid, &op.how);
    r = xenfork__op_wait(ctx, &op, r);
    /* Another may have been faster. */
    if (r && list_domain(ctx, domid, &xc) == XENFORK_E_NOTFOUND)
        return 0;
    if (r)
        return xenfork__fail(ctx, XENFORK_E_XEN, 0,
                             "cannot destroy domain %u (libxl: %d)", domid, r);
    return 0;
}

/* Start a watch, which stays between calls, so that no event is lost. */
static int start_watch(xenfork_ctx *ctx)
{
    struct xenfork__xen *xen = ctx->xen;

    if (xen->is_watching)
        return 0;
    xenfork__xs_count(ctx, 1);
    if (!xs_watch(xen->xs, WATCH_PATH, "xenfork"))
        return xenfork__fail(ctx, XENFORK_E_XEN, errno,
                             "cannot watch %s in xenstore", WATCH_PATH);
    xen->is_watching = true;
    return 0;
}

/*
 * Return the next event that has already come; false with errno: none, EAGAIN.
 */
static bool next_event(struct xs_handle *xs, uint32_t *domid_out)
{
    cleanup_free char **event = xs_check_watch(xs);
    uint32_t domid;

    if (!event)
        return false;
    /* The token of a guest's watch is its domid: xenfork__xen_guest_watch(). */
    *domid_out = xenfork__parse_u32(event[XS_WATCH_TOKEN], &domid)
                     ? domid
                     : XENFORK_DOMID_NONE;
    return true;
}

/* Sleep; signals come in only meanwhile, so that no cancellation is missed. */
static int sleep_on(xenfork_ctx *ctx, int wake_fd, int timeout_ms)
{
    struct pollfd fds[2] = {
        {.fd = xs_fileno(ctx->xen->xs), .events = POLLIN},
        {.fd = wake_fd, .events = POLLIN},
    };
    struct timespec timeout = {.tv_sec = timeout_ms / 1000,
                               .tv_nsec = timeout_ms % 1000 * 1000000L};
    sigset_t all, old;
    int r = 0, e;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    if (!xenfork__is_cancelled(ctx))
        r = ppoll(fds, ARRAY_SIZE(fds), timeout_ms < 0 ? NULL : &timeout, &old);
    e = errno;
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (r < 0 && e != EINTR)
        return xenfork__fail(ctx, XENFORK_E_XEN, e,
                             "cannot wait for events from xenstore");
    return 0;
}

/*
 * Wait for an event.  NONE may come early (a signal, the watch's first event):
 * look again.
 */
int xenfork__xen_wait_event(xenfork_ctx *ctx, int wake_fd, int timeout_ms,
                            uint32_t *domid_out)
{
    struct xs_handle *xs = ctx->xen->xs;
    uint32_t domid = XENFORK_DOMID_NONE;
    int rc;

    rc = start_watch(ctx);
    if (rc < 0)
        return rc;
    if (!next_event(xs, &domid)) {
        if (errno == EAGAIN && (rc = sleep_on(ctx, wake_fd, timeout_ms)) < 0)
            return rc;
        if (!next_event(xs, &domid) && errno != EAGAIN)
            return xenfork__fail(ctx, XENFORK_E_XEN, errno,
                                 "cannot read events from xenstore");
    }
    *domid_out = domid;
    return 0;
}

/*
 * Tell whether the hypervisor has memory sharing, by XENMEM_sharing_op on a
 * domain that cannot exist: a hypervisor that has it looks for the domain first
 * and says ESRCH, one without says ENOSYS (mem_sharing_memop,
 * subarch_memory_op; 4.17 to 4.20).  On a domain that exists every operation
 * but audit would first enable sharing for it.
 */
static int probe_hypervisor(xenfork_ctx *ctx)
{
    int r = xc_memshr_debug_gfn(ctx->xen->xch, DOMID_INVALID, 0);
    int e = errno;

    xenfork__count(ctx, XENFORK_COUNT_HYPERCALLS, 1);
    if (r >= 0 || e == ESRCH)
        return 0;
    if (e != ENOSYS && e != EOPNOTSUPP)
        return xenfork__fail(ctx, XENFORK_E_XEN, e,
                             "cannot ask the hypervisor about memory sharing");
    xenfork__fail(ctx, XENFORK_E_HYPERVISOR, 0,
                  "the hypervisor has no memory sharing");
    return xenfork__remedy(
        ctx, "build it with CONFIG_MEM_SHARING=y: docs/hypervisor.md");
}

/*
 * Refuse pages on demand, which a guest has that was started with more maxmem
 * than memory.  Each look at such an entry asks Xen for a page, and a sweep
 * that finds none crashes the guest (p2m_pod_demand_populate(), 4.17).  When
 * its balloon driver has given back what it does not have, there is a page for
 * each entry that is left, and a look at it is all that it takes.
 */
static int refuse_on_demand(xenfork_ctx *ctx, uint32_t domid)
{
    uint64_t pages, cached = 0, entries = 0;

    xenfork__count(ctx, XENFORK_COUNT_HYPERCALLS, 1);
    if (xc_domain_get_pod_target(ctx->xen->xch, domid, &pages, &cached,
                                 &entries))
        return xenfork__fail(ctx, XENFORK_E_XEN, errno,
                             "domain %u: cannot read how much of its memory "
                             "is populated on demand",
                             domid);
    if (entries <= cached)
        return 0;
    xenfork__miss(ctx, XENFORK_E_HYPERVISOR,
                  "%llu of its pages are populated on demand, and there is no "
                  "memory for them (its maxmem is above its memory)",
                  (unsigned long long)(entries - cached));
    return xenfork__remedy(ctx, "wait until its balloon driver has given them "
                                "back, or start it with maxmem= equal to "
                                "memory=");
}

int xenfork__xen_can_share(xenfork_ctx *ctx, uint32_t domid)
{
    xc_domaininfo_t xc;
    int rc;

    rc = probe_hypervisor(ctx);
    if (rc < 0)
        return rc;
    rc = list_domain(ctx, domid, &xc);
    if (rc < 0)
        return rc;
    /* mem_sharing_control() refuses such a domain with ENODEV. */
    if ((xc.flags & XEN_DOMINF_hvm_guest) && !(xc.flags & XEN_DOMINF_hap)) {
        xenfork__fail(ctx, XENFORK_E_HYPERVISOR, 0,
                      "domain %u has no hardware-assisted paging", domid);
        return xenfork__remedy(ctx, "start it with hap=1");
    }
    return (xc.flags & XEN_DOMINF_hvm_guest) ? refuse_on_demand(ctx, domid) : 0;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Guests that use nothing of Xen's own: boot loaders, installers, kernels
 * without Xen's drivers, and domains that have never run.  They cannot suspend,
 * and need not: stopped between two instructions, they have all of their state
 * in memory, vCPUs and device model.
 */
#include "xen/handles.h"

#include "xen/xen.h"

#include <string.h>
#include <time.h>
#include <xen/event_channel.h>
#include <xen/hvm/params.h>

#define POLL_MS    5U
#define CONNECTED  "4"     /* XenbusStateConnected, io/xenbus.h */
#define PORT_LIMIT 131072U /* EVTCHN_FIFO_NR_CHANNELS, event_channel.h */

static int cannot_look(xenfork_ctx *ctx, uint32_t domid, int e)
{
    return xenfork__fail(ctx, XENFORK_E_XEN, e,
                         "domain %u: cannot find out what it uses of Xen",
                         domid);
}

/* Return a text for the caller to free; on failure the error is made. */
static int say(xenfork_ctx *ctx, const char *text, char **use_out)
{
    char *use = strdup(text);

    if (!use)
        return xenfork__nomem(ctx);
    *use_out = use;
    return 0;
}

/* See whether a backend of this kind is connected: its word, not the guest's */
static int look_at_kind(xenfork_ctx *ctx, uint32_t domid, const char *kind,
                        char **use_out)
{
    unsigned int i, count = 0;
    cleanup_free char **devids = xenfork__xs_list(
        ctx, &count, "/libxl/%u/device/%s", domid, kind);

    for (i = 0; devids && i < count && !*use_out; i++) {
        cleanup_free char *path = xenfork__xs_read(
            ctx, XBT_NULL, "/libxl/%u/device/%s/%s/backend", domid, kind,
            devids[i]);
        cleanup_free char *state = NULL;

        if (path)
            state = xenfork__xs_read(ctx, XBT_NULL, "%s/state", path);
        if (state && !strcmp(state, CONNECTED) &&
            asprintf(use_out, "device %s %s", kind, devids[i]) < 0) {
            *use_out = NULL;
            return xenfork__nomem(ctx);
        }
    }
    return 0;
}

static int look_at_devices(xenfork_ctx *ctx, uint32_t domid, char **use_out)
{
    unsigned int i, count = 0;
    cleanup_free char **kinds = xenfork__xs_list(ctx, &count,
                                                 "/libxl/%u/device", domid);
    int rc = 0;

    if (!kinds && errno != ENOENT)
        return cannot_look(ctx, domid, errno);
    for (i = 0; kinds && i < count && rc >= 0 && !*use_out; i++)
        rc = look_at_kind(ctx, domid, kinds[i], use_out);
    return rc;
}

/*
 * See whether an event channel is the guest's own: a copy of the domain would
 * not have it.  Those of its xenstore, console and device model every domain
 * gets anew, with the same numbers; the device model's are Xen's (EACCES).
 */
static bool is_guest_port(const xc_evtchn_status_t *status, uint32_t self)
{
    switch (status->status) {
    case EVTCHNSTAT_virq:
    case EVTCHNSTAT_ipi:
    case EVTCHNSTAT_pirq:
        return true;
    case EVTCHNSTAT_interdomain:
        return status->u.interdomain.dom != self;
    default:
        return false;
    }
}

static int look_at_channels(xenfork_ctx *ctx, uint32_t domid, char **use_out)
{
    uint32_t self = xenfork__own_domid(ctx), port;

    for (port = 1; port < PORT_LIMIT; port++) {
        xc_evtchn_status_t status = {.dom = (domid_t)domid, .port = port};
        int r = xc_evtchn_status(ctx->xen->xch, &status);

        if (r && errno == EINVAL)
            break; /* no channel has this number, nor a higher one */
        if (r && errno != EACCES)
            return cannot_look(ctx, domid, errno);
        if (!r && is_guest_port(&status, self))
            return say(ctx, "event channels", use_out);
    }
    return 0;
}

/*
 * See whether the guest has mapped the page that it shares with Xen: its clock
 * is there.  In an HVM domain hvmloader has (get_shared_info(), 4.17), and what
 * it starts need not know.
 */
static int look_at_page(xenfork_ctx *ctx, uint32_t domid, char **use_out)
{
    xc_domaininfo_t info;

    if (xc_domain_getinfolist(ctx->xen->xch, domid, 1, &info) != 1 ||
        info.domain != domid)
        return cannot_look(ctx, domid, ESRCH);
    if ((info.arch_config.emulation_flags & XEN_X86_EMU_PM) ||
        info.shared_info_frame > UINT32_MAX)
        return 0;
    return say(ctx, "the page that it shares with Xen", use_out);
}

int xenfork__xen_pv_use(xenfork_ctx *ctx, uint32_t domid, char **use_out)
{
    cleanup_free char *use = NULL;
    uint64_t callback = 0;
    int rc;

    if (xc_hvm_param_get(ctx->xen->xch, domid, HVM_PARAM_CALLBACK_IRQ,
                         &callback))
        return cannot_look(ctx, domid, errno);
    if ((rc = look_at_devices(ctx, domid, &use)) < 0 ||
        (!use && callback && (rc = say(ctx, "Xen's interrupts", &use)) < 0) ||
        (!use && (rc = look_at_page(ctx, domid, &use)) < 0) ||
        (!use && (rc = look_at_channels(ctx, domid, &use)) < 0))
        return rc;
    *use_out = steal_ptr(use);
    return 0;
}

static int too_slow(xenfork_ctx *ctx, uint32_t domid, uint32_t timeout_ms)
{
    xenfork__fail(ctx, XENFORK_E_TIMEOUT, 0,
                  "domain %u did not stop within %u ms", domid, timeout_ms);
    return xenfork__remedy(ctx, "allow it more time");
}

/*
 * Wait until it has stopped.  A vCPU that waits for its device model stops when
 * it has the answer (vcpu_start_shutdown_deferral(), 4.17).
 */
static int wait_stopped(xenfork_ctx *ctx, uint32_t domid, uint64_t end_ns,
                        uint32_t timeout_ms)
{
    struct xenfork__dominfo info = {0};
    int rc;

    for (;;) {
        rc = xenfork__xen_info(ctx, domid, &info);
        if (rc < 0 && rc != XENFORK_E_NOTFOUND)
            return rc;
        if (rc < 0 || info.is_dying ||
            (info.is_shutdown &&
             info.shutdown_reason != XENFORK__SHUTDOWN_SUSPEND))
            return xenfork__fail(ctx, XENFORK_E_NOTRUNNING, 0,
                                 "domain %u has ended", domid);
        if (info.is_shutdown)
            return 0;
        if (xenfork__now_ns() >= end_ns)
            break;
        xenfork__sleep_ns(POLL_MS * 1000000ULL);
    }
    return too_slow(ctx, domid, timeout_ms);
}

/*
 * Stop it, and its device model.  libxl does not ask a guest that uses no
 * callback of Xen's: it stops it as we do, then QEMU, and saves QEMU's state
 * (domain_suspend_callback_common()).
 */
static int stop_with_emulator(xenfork_ctx *ctx, uint32_t domid, uint64_t end_ns,
                              uint32_t timeout_ms)
{
    struct xenfork__op op;
    bool is_late = false;
    int r, rc;

    xenfork__op_init(&op);
    r = libxl_domain_suspend_only(ctx->xen->xl, domid, &op.how);
    while (!r && !op.is_done && !is_late) {
        xenfork__op_turn(ctx);
        is_late = xenfork__now_ns() >= end_ns ||
                  xenfork__xen_has_ended(ctx, domid);
    }
    if (!r && !op.is_done)
        libxl_ao_abort(ctx->xen->xl, &op.how);
    r = xenfork__op_wait(ctx, &op, r);
    if (r && !is_late)
        return xenfork__fail(ctx, XENFORK_E_XEN, 0,
                             "cannot stop domain %u (libxl: %d)", domid, r);
    rc = wait_stopped(ctx, domid, end_ns, timeout_ms);
    /* Broken off, libxl has not saved the device model's state. */
    return rc < 0 || !r ? rc : too_slow(ctx, domid, timeout_ms);
}

/*
 * Let a paused vCPU complete the instruction that it is in, which has asked the
 * device model for something: Xen stops it right after.  Its user's pause has
 * caught it in the middle, and no copy could be made of that.
 */
static int complete_instruction(xenfork_ctx *ctx, uint32_t domid,
                                uint64_t end_ns, uint32_t timeout_ms)
{
    xc_interface *xch = ctx->xen->xch;
    struct xenfork__dominfo info;
    int rc = xenfork__xen_info(ctx, domid, &info);

    if (rc < 0 || !info.is_paused || info.is_shutdown)
        return rc;
    if (xc_domain_unpause(xch, domid))
        return xenfork__fail(ctx, XENFORK_E_XEN, errno,
                             "cannot unpause domain %u", domid);
    rc = wait_stopped(ctx, domid, end_ns, timeout_ms);
    if (xc_domain_pause(xch, domid) && rc == 0)
        return xenfork__fail(ctx, XENFORK_E_XEN, errno,
                             "cannot pause domain %u", domid);
    return rc;
}

int xenfork__xen_stop(xenfork_ctx *ctx, uint32_t domid, uint32_t timeout_ms)
{
    uint64_t end_ns = xenfork__now_ns() + timeout_ms * 1000000ULL;
    int rc;

    LOG_DEBUG(ctx, "stopping domain %u", domid);
    if (xc_domain_shutdown(ctx->xen->xch, (int)domid,
                           XENFORK__SHUTDOWN_SUSPEND))
        return xenfork__fail(ctx, XENFORK_E_XEN, errno, "cannot stop domain %u",
                             domid);
    if ((rc = complete_instruction(ctx, domid, end_ns, timeout_ms)) < 0 ||
        !xenfork__xen_has_emulator(ctx, domid))
        return rc < 0 ? rc : wait_stopped(ctx, domid, end_ns, timeout_ms);
    return stop_with_emulator(ctx, domid, end_ns, timeout_ms);
}

int xenfork__xen_go_on(xenfork_ctx *ctx, uint32_t domid)
{
    struct xenfork__op op;
    int rc;

    LOG_DEBUG(ctx, "domain %u goes on", domid);
    xenfork__op_init(&op);
    rc = xenfork__op_done(ctx, &op,
                          libxl_domain_resume(ctx->xen->xl, domid, 0, &op.how),
                          "continue", domid);
    xenfork__xen_emulator_forget(domid);
    return rc;
}

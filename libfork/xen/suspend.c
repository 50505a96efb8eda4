/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Suspension of a guest, and the way back.
 *
 * The protocol (libxl_dom_suspend.c, 4.17): the toolstack writes "suspend" to
 * control/shutdown, the guest acknowledges by writing "", freezes itself and
 * calls SCHEDOP_shutdown.  A request can be withdrawn until it has been
 * acknowledged, and not after.
 */
#include "xen/handles.h"

#include "xen/xen.h"

#include <string.h>
#include <time.h>

#define CONTROL        "/local/domain/%u/control/"
#define WITHDRAW_MS      30000U /* Linux gives up freezing after 20 s */
#define WITHDRAW_POLL_MS 20U

/* Read "1", "0", or "": the guest has said nothing about it.  Caller frees. */
static int feature(xenfork_ctx *ctx, uint32_t domid, const char *name,
                   char **value_out)
{
    char *value = xenfork__xs_read(ctx, XBT_NULL, CONTROL "feature-%s", domid,
                                   name);

    if (!value && errno == ENOENT)
        value = strdup("");
    if (!value)
        return xenfork__fail(ctx, XENFORK_E_XEN, errno,
                             "cannot read what domain %u supports", domid);
    *value_out = value;
    return 0;
}

/*
 * Tell whether the guest says that it can suspend.  Linux writes all that it
 * supports once, when it boots (drivers/xen/manage.c,
 * setup_shutdown_watcher()): of a restored domain, or a clone, it says nothing
 * any more.  Such a guest is asked, and has the timeout to obey.
 */
int xenfork__xen_can_suspend(xenfork_ctx *ctx, uint32_t domid, bool *can_out)
{
    cleanup_free char *can_suspend = NULL;
    cleanup_free char *can_power_off = NULL;
    int rc;

    if ((rc = feature(ctx, domid, "suspend", &can_suspend)) < 0 ||
        (rc = feature(ctx, domid, "poweroff", &can_power_off)) < 0)
        return rc;
    *can_out = can_suspend[0] ? !strcmp(can_suspend, "1") : !can_power_off[0];
    return 0;
}

static int is_suspended(xenfork_ctx *ctx, uint32_t domid, bool *is_out)
{
    struct xenfork__dominfo info;
    int rc;

    rc = xenfork__xen_info(ctx, domid, &info);
    if (rc == XENFORK_E_NOTFOUND || (rc == 0 && info.is_dying))
        return xenfork__fail(ctx, XENFORK_E_NOTRUNNING, 0,
                             "domain %u has been destroyed", domid);
    if (rc < 0)
        return rc;
    if (info.is_shutdown && info.shutdown_reason != XENFORK__SHUTDOWN_SUSPEND)
        return xenfork__fail(ctx, XENFORK_E_NOTRUNNING, 0,
                             info.shutdown_reason == XENFORK__SHUTDOWN_CRASH
                                 ? "domain %u has crashed"
                                 : "domain %u has shut down",
                             domid);
    *is_out = info.is_shutdown;
    return 0;
}

bool xenfork__xen_has_ended(xenfork_ctx *ctx, uint32_t domid)
{
    struct xenfork__dominfo info;
    keep_error struct xenfork__kept kept = xenfork__keep(ctx);
    int rc = xenfork__xen_info(ctx, domid, &info);

    return rc == XENFORK_E_NOTFOUND ||
           (rc == 0 && (info.is_dying ||
                        (info.is_shutdown &&
                         info.shutdown_reason != XENFORK__SHUTDOWN_SUSPEND)));
}

/* Withdraw in one transaction; EAGAIN: the guest wrote at the same time. */
static int try_withdraw(xenfork_ctx *ctx, uint32_t domid, bool *is_done_out)
{
    struct xs_handle *xs = ctx->xen->xs;
    cleanup_free char *value = NULL;
    cleanup_free char *path = NULL;
    xs_transaction_t t;
    bool is_pending;
    int e = 0;

    if (asprintf(&path, CONTROL "shutdown", domid) < 0) {
        path = NULL;
        return ENOMEM;
    }
    t = xs_transaction_start(xs);
    if (t == XBT_NULL)
        return errno;
    value = xenfork__xs_read(ctx, t, "%s", path);
    if (!value && errno != ENOENT)
        e = errno;
    is_pending = value && !strcmp(value, "suspend");
    if (is_pending && !xs_write(xs, t, path, "", 0))
        e = errno;
    if (!xs_transaction_end(xs, t, e != 0) && !e)
        e = errno;
    xenfork__count(ctx, XENFORK_COUNT_XENSTORE_OPS, is_pending ? 3 : 2);
    if (!e)
        *is_done_out = is_pending;
    return e;
}

/*
 * Withdraw the request.  A guest that goes on writing control/shutdown gets
 * between start and end of every transaction: what it keeps to itself counts as
 * acknowledged.
 */
static int withdraw(xenfork_ctx *ctx, uint32_t domid, bool *is_done_out)
{
    uint32_t tries = 0;
    int e;

    do
        e = try_withdraw(ctx, domid, is_done_out);
    while (e == EAGAIN && ++tries < XENFORK__XS_TRIES);
    if (e == EAGAIN) {
        LOG_WARN(ctx, "domain %u keeps writing its control/shutdown, ignoring",
                 domid);
        *is_done_out = false;
        return 0;
    }
    if (e)
        return xenfork__fail(ctx, XENFORK_E_XEN, e,
                             "cannot ask domain %u not to suspend", domid);
    return 0;
}

/* Wait until the domain is suspended, or gone, or has shut down otherwise. */
static int wait_shutdown(xenfork_ctx *ctx, uint32_t domid)
{
    uint64_t end_ns = xenfork__now_ns() + WITHDRAW_MS * 1000000ULL;
    struct xenfork__dominfo info;
    int rc;

    for (;;) {
        rc = xenfork__xen_info(ctx, domid, &info);
        if (rc == XENFORK_E_NOTFOUND)
            return 0;
        if (rc < 0)
            return rc;
        if (info.is_shutdown || info.is_dying || info.is_paused)
            return 0;
        if (xenfork__now_ns() >= end_ns)
            return 0;
        xenfork__sleep_ns(WITHDRAW_POLL_MS * 1000000ULL);
    }
}

int xenfork__xen_withdraw_suspend(xenfork_ctx *ctx, uint32_t domid)
{
    bool is_withdrawn = false;
    int rc;

    rc = withdraw(ctx, domid, &is_withdrawn);
    if (rc < 0 || is_withdrawn)
        return rc;
    return wait_shutdown(ctx, domid);
}

int xenfork__xen_acknowledge_suspend(xenfork_ctx *ctx, uint32_t domid)
{
    bool was_asked = false;

    return withdraw(ctx, domid, &was_asked);
}

int xenfork__xen_resume(xenfork_ctx *ctx, uint32_t domid)
{
    struct xenfork__op op;
    int rc;

    LOG_DEBUG(ctx, "resuming domain %u", domid);
    xenfork__op_init(&op);
    rc = xenfork__op_done(ctx, &op,
                          libxl_domain_resume(ctx->xen->xl, domid, 1, &op.how),
                          "resume", domid);
    xenfork__xen_emulator_forget(domid);
    return rc;
}

/* Return why to stop waiting; 0: not at all. */
static int stop_reason(const xenfork_ctx *ctx, uint64_t end_ns)
{
    if (ctx->is_cancelled)
        return XENFORK_E_CANCELLED;
    return xenfork__now_ns() >= end_ns ? XENFORK_E_TIMEOUT : 0;
}

/*
 * Make one request by libxl, and abort it at the end of our time.  libxl waits
 * 60 s for the acknowledgement and 60 s more for the suspension, whether or not
 * the domain has crashed meanwhile.  Having withdrawn the request after the
 * first, it reports success by mistake, in 4.17 to 4.20
 * (domain_suspend_common_pvcontrol_suspending): the hypervisor's word counts.
 */
static int ask_suspend(xenfork_ctx *ctx, uint32_t domid, uint64_t end_ns,
                       int *stop_out)
{
    libxl_ctx *xl = ctx->xen->xl;
    struct xenfork__op op;
    int r, stop = 0;

    xenfork__op_init(&op);
    r = libxl_domain_suspend_only(xl, domid, &op.how);
    if (r)
        return r;
    while (!op.is_done && !stop && !xenfork__xen_has_ended(ctx, domid)) {
        xenfork__op_turn(ctx);
        stop = stop_reason(ctx, end_ns);
    }
    if (!op.is_done)
        libxl_ao_abort(xl, &op.how);
    *stop_out = stop;
    return xenfork__op_wait(ctx, &op, 0);
}

/*
 * Make the domain run on: withdraw the request, or undo the suspension if it
 * came.
 */
static int run_on(xenfork_ctx *ctx, uint32_t domid)
{
    bool is_late = false;
    int rc;

    rc = xenfork__xen_withdraw_suspend(ctx, domid);
    if (rc < 0)
        return rc;
    rc = is_suspended(ctx, domid, &is_late);
    if (rc == XENFORK_E_NOTRUNNING || rc == XENFORK_E_NOTFOUND)
        return 0;
    if (rc < 0)
        return rc;
    return is_late ? xenfork__xen_resume(ctx, domid) : 0;
}

static int stop_asking(xenfork_ctx *ctx, uint32_t domid, uint32_t timeout_ms,
                       int stop, int r)
{
    if (run_on(ctx, domid) < 0)
        return xenfork__fail(ctx, XENFORK_E_RESIDUE, 0,
                             "domain %u may stay suspended", domid);
    if (stop == XENFORK_E_CANCELLED)
        return xenfork__fail(ctx, stop, 0,
                             "cancelled while domain %u was to suspend", domid);
    if (!stop && r != ERROR_GUEST_TIMEDOUT && r != ERROR_TIMEDOUT)
        return xenfork__fail(ctx, XENFORK_E_XEN, 0,
                             "cannot suspend domain %u (libxl: %d)", domid, r);
    xenfork__fail(ctx, XENFORK_E_TIMEOUT, 0,
                  "domain %u did not suspend within %u ms", domid, timeout_ms);
    return xenfork__remedy(
        ctx, "look at the guest's console, or allow it more time");
}

/* Withdraw the request of a domain that is gone, or has shut down. */
static int ended(xenfork_ctx *ctx, uint32_t domid, int rc)
{
    keep_error struct xenfork__kept kept = xenfork__keep(ctx);
    bool is_withdrawn;

    if (rc == XENFORK_E_NOTRUNNING)
        withdraw(ctx, domid, &is_withdrawn);
    return rc;
}

/* Refuse: libxl would put its request in the place of one that the guest has
 * yet to see. */
static int refuse_pending(xenfork_ctx *ctx, uint32_t domid)
{
    cleanup_free char *asked = xenfork__xs_read(ctx, XBT_NULL,
                                                CONTROL "shutdown", domid);

    if (!asked && errno != ENOENT)
        return xenfork__fail(ctx, XENFORK_E_XEN, errno,
                             "cannot read what is asked of domain %u", domid);
    if (!asked || !*asked)
        return 0;
    xenfork__fail(ctx, XENFORK_E_BUSY, 0,
                  "domain %u has been asked to %.16s, and has not answered yet",
                  domid, asked);
    return xenfork__remedy(ctx, "wait until it has done so");
}

int xenfork__xen_suspend(xenfork_ctx *ctx, uint32_t domid, uint32_t timeout_ms)
{
    uint64_t end_ns = xenfork__now_ns() + timeout_ms * 1000000ULL;
    bool is_done = false;
    int r, rc, stop = 0;

    if ((rc = refuse_pending(ctx, domid)) < 0)
        return rc;
    LOG_DEBUG(ctx, "suspending domain %u", domid);
    do {
        r = ask_suspend(ctx, domid, end_ns, &stop);
        rc = is_suspended(ctx, domid, &is_done);
        if (rc < 0)
            return ended(ctx, domid, rc);
        /* libxl's first 60 s are over, the request withdrawn: ask again. */
    } while (!is_done && !r && !stop);
    /* Broken off by us, libxl has not saved the device model's state. */
    if (is_done && stop != XENFORK_E_CANCELLED &&
        (!r || !xenfork__xen_has_emulator(ctx, domid)))
        return 0;
    return stop_asking(ctx, domid, timeout_ms, stop, r);
}

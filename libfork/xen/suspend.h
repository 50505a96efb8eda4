/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How guests are brought to rest, and go on: a part of xen.h. */
#ifndef LIBFORK_XEN_SUSPEND_H
#define LIBFORK_XEN_SUSPEND_H

#include <stdbool.h>
#include <stdint.h>

#include "xenfork.h"

/* Suspension: xen/suspend.c */
/*
 * Tell whether the guest can suspend.  False: it has listed what it can do, and
 * suspension is not in the list.
 */
int xenfork__xen_can_suspend(xenfork_ctx *ctx, uint32_t domid, bool *can_out);
/*
 * Have a guest suspend.  TIMEOUT, CANCELLED: it runs on, and the request is
 * withdrawn.  BUSY: it has been asked for something else, to shut down for
 * example.  NOTRUNNING: it shut down otherwise.  RESIDUE: it may still be
 * suspended.
 */
int xenfork__xen_suspend(xenfork_ctx *ctx, uint32_t domid, uint32_t timeout_ms);
/*
 * Tell whether a domain is gone, dying, or shut down for good: it will not
 * answer any more.
 */
bool xenfork__xen_has_ended(xenfork_ctx *ctx, uint32_t domid);
/*
 * Resume a domain as if its suspension had been cancelled: nothing reconnects.
 */
int xenfork__xen_resume(xenfork_ctx *ctx, uint32_t domid);
/*
 * Finish after a crash of the process that asked for suspension: withdraw the
 * request, or wait (bounded) for the guest that has taken it up.
 * xenfork__xen_info() then tells whether it is suspended.
 */
int xenfork__xen_withdraw_suspend(xenfork_ctx *ctx, uint32_t domid);
/*
 * Note in xenstore that we suspend the domain, before we do so for the first
 * time, and whether xl watches it: on Xen before 4.20 the watcher of `xl
 * create` ends then.  The note is removed with the domain.
 */
int xenfork__xen_must_mark(xenfork_ctx *ctx, uint32_t domid, bool *must_out);
int xenfork__xen_mark_suspended(xenfork_ctx *ctx, uint32_t domid,
                                bool is_watched);
/* Acknowledge a request, whatever it was, as a guest does that obeys. */
int xenfork__xen_acknowledge_suspend(xenfork_ctx *ctx, uint32_t domid);

/* Guests that use nothing of Xen's: xen/stop.c */
/*
 * Say what the guest uses of Xen that a copy of it would not have unless it was
 * suspended: "device vbd 51712", "event channels".  NULL: nothing, it may be
 * stopped where it is.  Caller frees
 */
int xenfork__xen_pv_use(xenfork_ctx *ctx, uint32_t domid, char **use_out);
/*
 * Stop a guest between two instructions: it knows nothing of it.  It is
 * suspended then in Xen's eyes.  On failure, and before it is known that it
 * uses nothing of Xen's still, xenfork__xen_go_on() undoes it.  TIMEOUT: its
 * device model does not answer.  NOTRUNNING: it has ended
 */
int xenfork__xen_stop(xenfork_ctx *ctx, uint32_t domid, uint32_t timeout_ms);
/* Let a stopped guest go on; one that runs is not disturbed. */
int xenfork__xen_go_on(xenfork_ctx *ctx, uint32_t domid);

#endif

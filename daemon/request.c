/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "request.h"

#include <sys/wait.h>

#include "log.h"
#include "xen/xen.h"

#define REQUEST_BYTES 64U /* of what a guest wrote; one counts */

/* Tell whether the guest has written exactly the value that counts. */
static bool is_request(struct daemon *daemon, struct guest *guest,
                       uint64_t now_ms)
{
    char value[REQUEST_BYTES], quoted[LOG_QUOTED];
    size_t bytes;

    /* No key, or "0", which is what we answer. */
    if (xenfork__host_request(daemon->ctx, guest->domid, value, sizeof(value),
                              &bytes) < 0 ||
        !bytes || (bytes == 1 && value[0] == '0'))
        return false;
    guests_charge(&daemon->guests, guest, now_ms);
    if (bytes == 1 && value[0] == '1')
        return true;
    if (guests_may_note(guest, now_ms))
        log_info("request", "domid=%u result=ignored bytes=%zu value=%s",
                 guest->domid, bytes,
                 log_quote(value,
                           bytes < sizeof(value) ? bytes : sizeof(value) - 1,
                           quoted));
    return false;
}

/*
 * Tell whether a domain runs, or is frozen, or on its way to another host.  The
 * list of domains may not know: Xen reports when a domain suspends, not when it
 * goes on.
 */
static bool is_running(const struct daemon *daemon, uint32_t domid)
{
    struct xenfork__dominfo info;

    return xenfork__xen_info(daemon->ctx, domid, &info) == 0 &&
           !info.is_shutdown && !info.is_dying;
}

/* Start a worker that freezes the guest, or say that there is none. */
static void start_freeze(struct daemon *daemon, struct guest *guest,
                         uint64_t now_ms)
{
    guest->is_requesting = false;
    if (!is_request(daemon, guest, now_ms))
        return;
    if ((guest->is_suspended || guest->is_shutdown) &&
        !is_running(daemon, guest->domid))
        return;
    log_info("freeze", "domid=%u result=begun", guest->domid);
    if (workers_start_domain(&daemon->workers, WORKER_FREEZE, guest->domid,
                             now_ms) == 0)
        guest->is_freezing = true;
    else
        xenfork__xen_guest_answer(daemon->ctx, guest->domid,
                                  xenfork_code_name(XENFORK_E_BUSY));
}

/*
 * Tell whether a guest that failed before may be served: such guests, whose
 * attempts may last their full timeout, get at most half of the places.
 */
static bool may_failed(const struct daemon *daemon)
{
    const struct guests *guests = &daemon->guests;
    uint32_t busy = 0;
    size_t i;

    for (i = 0; i < guests->count; i++)
        busy += guests->all[i]->is_freezing && guests->all[i]->has_failed;
    return busy < (daemon->config.freeze_workers + 1) / 2;
}

void request_turn(struct daemon *daemon, uint64_t now_ms)
{
    size_t left = daemon->guests.count;
    struct guest *guest;

    while (left-- && workers_has_room(&daemon->workers, WORKER_FREEZE) &&
           (guest = guests_next(&daemon->guests, now_ms, may_failed(daemon))))
        start_freeze(daemon, guest, now_ms);
}

void request_ended(struct daemon *daemon, struct guest *guest,
                   const struct worker *worker, int status, uint64_t now_ms)
{
    guests_result(guest, status != 0, now_ms);
    /* Otherwise the library has told the guest why it failed, if it could. */
    if (WIFSIGNALED(status))
        xenfork__xen_guest_answer(daemon->ctx, guest->domid,
                                  xenfork_code_name(worker->is_killed
                                                        ? XENFORK_E_TIMEOUT
                                                        : XENFORK_E_CANCELLED));
}

void request_unmute(struct daemon *daemon, struct guest *guest, uint64_t now_ms)
{
    if (!guest->is_muted || guest->muted_ms > now_ms)
        return;
    if (xenfork__host_watch_guest(daemon->ctx, guest->domid) == 0)
        guest->is_muted = false;
    else
        guest->muted_ms = now_ms + SERVE_LOOK_AGAIN_MS;
}

uint64_t request_wake_ms(const struct daemon *daemon, uint64_t now_ms)
{
    uint64_t wake_ms = SERVE_NEVER;
    size_t i;

    if (workers_has_room(&daemon->workers, WORKER_FREEZE))
        at_latest(&wake_ms, guests_wake_ms(&daemon->guests, now_ms));
    for (i = 0; i < daemon->guests.count; i++)
        if (daemon->guests.all[i]->is_muted)
            at_latest(&wake_ms, daemon->guests.all[i]->muted_ms);
    return wake_ms;
}

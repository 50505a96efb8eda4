/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "trim.h"

#include "log.h"
#include "xen/host-memory.h"
#include "xen/xen.h"

#define WAIT_MS     1000U /* for guests to give memory back */
#define KIB_PER_MIB 1024U

bool trim_meet(struct daemon *daemon, struct guest *guest)
{
    return xenfork__xen_is_asked(daemon->ctx, guest->domid, &guest->is_asked) ==
           0;
}

/* A clone that is not hydrated would take memory to give some back. */
static bool may_ask(struct daemon *daemon, const struct guest *guest)
{
    struct xenfork__dominfo info;

    return guest->is_clone && guest->is_hydrated && !guest->is_asked &&
           !guest->is_paused && !guest->is_spared &&
           xenfork__xen_info(daemon->ctx, guest->domid, &info) == 0 &&
           !info.is_paused && !info.is_shutdown && !info.is_dying;
}

static void ask(struct daemon *daemon, struct guest *guest, uint64_t now_ms)
{
    uint32_t kib;
    int rc = xenfork__xen_ask_back(daemon->ctx, guest->domid,
                                   daemon->config.memory_balloon, &kib);

    /* A request that failed half-way is taken back like any other. */
    guest->is_asked = rc < 0 || kib;
    if (rc < 0 || !kib)
        return;
    daemon->trim_ms = now_ms + WAIT_MS;
    log_info("memory", "domid=%u result=asked target_mib=%u", guest->domid,
             kib / KIB_PER_MIB);
}

void trim_begin(struct daemon *daemon, uint64_t now_ms)
{
    size_t i;

    if (daemon->is_trimmed)
        return;
    daemon->is_trimmed = true;
    log_info("memory", "result=sweeping");
    at_latest(&daemon->recover_ms, now_ms);
    for (i = 0; daemon->config.memory_balloon && i < daemon->guests.count; i++)
        if (may_ask(daemon, daemon->guests.all[i]))
            ask(daemon, daemon->guests.all[i], now_ms);
}

bool trim_is_waiting(const struct daemon *daemon, uint64_t now_ms)
{
    return now_ms < daemon->trim_ms;
}

bool trim_undo(struct daemon *daemon)
{
    size_t i;

    daemon->is_trimmed = false;
    for (i = 0; i < daemon->guests.count; i++) {
        struct guest *guest = daemon->guests.all[i];
        uint32_t kib;

        if (!guest->is_asked)
            continue;
        if (xenfork__xen_let_have(daemon->ctx, guest->domid, &kib) < 0)
            return true;
        guest->is_asked = false;
        if (kib)
            log_info("memory", "domid=%u result=given target_mib=%u",
                     guest->domid, kib / KIB_PER_MIB);
        return true;
    }
    return false;
}

bool trim_has_asked(const struct daemon *daemon)
{
    size_t i;

    for (i = 0; i < daemon->guests.count; i++)
        if (daemon->guests.all[i]->is_asked)
            return true;
    return false;
}

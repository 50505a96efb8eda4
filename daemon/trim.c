/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "trim.h"

#include "log.h"
#include "xen/host-memory.h"
#include "xen/xen.h"

#define WAIT_MS     1000U /* for guests to give memory back */
#define TAKE_MS     10000U /* for one to take it again */
#define KIB_PER_MIB 1024U

bool trim_meet(struct daemon *daemon, struct guest *guest)
{
    uint32_t kib;

    return xenfork__xen_is_asked(daemon->ctx, guest->domid, &guest->is_asked,
                                 &kib) == 0;
}

/*
 * Tell whether the host gets what a clone gives back.  One that is not hydrated
 * would take memory to give some back; one with a claim gives it to that (Xen
 * 4.17).  A shared page is nobody's: it frees nothing.
 */
static bool may_ask(struct daemon *daemon, const struct guest *guest,
                    struct xenfork__dominfo *info)
{
    return guest->is_clone && guest->is_hydrated && !guest->is_asked &&
           !guest->is_paused && !guest->is_spared &&
           xenfork__xen_info(daemon->ctx, guest->domid, info) == 0 &&
           !info->is_paused && !info->is_shutdown && !info->is_dying &&
           !info->claimed_pages;
}

static void ask(struct daemon *daemon, struct guest *guest,
                const struct xenfork__dominfo *info, uint64_t now_ms)
{
    uint32_t kib;
    int rc = xenfork__xen_ask_back(
        daemon->ctx, guest->domid, daemon->config.memory_balloon,
        info->private_pages * XENFORK__PAGE_KIB, &kib);

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
    struct xenfork__dominfo info;
    size_t i;

    if (daemon->is_trimmed)
        return;
    daemon->is_trimmed = true;
    log_info("memory", "result=sweeping");
    at_latest(&daemon->recover_ms, now_ms);
    for (i = 0; daemon->config.memory_balloon && i < daemon->guests.count; i++)
        if (may_ask(daemon, daemon->guests.all[i], &info))
            ask(daemon, daemon->guests.all[i], &info, now_ms);
}

bool trim_is_waiting(const struct daemon *daemon, uint64_t now_ms)
{
    return now_ms < daemon->trim_ms;
}

/* Let a guest have its memory again.  False: not yet. */
static bool let_have(struct daemon *daemon, struct guest *guest, uint64_t spare,
                     uint64_t now_ms)
{
    uint32_t kib;
    bool is;

    if (xenfork__xen_is_asked(daemon->ctx, guest->domid, &is, &kib) < 0)
        return true;
    if (kib / XENFORK__PAGE_KIB > spare)
        return false;
    if (xenfork__xen_let_have(daemon->ctx, guest->domid, &kib) < 0)
        return true;
    guest->is_asked = false;
    if (!kib)
        return true;
    daemon->trim_ms = now_ms + TAKE_MS;
    log_info("memory", "domid=%u result=given target_mib=%u", guest->domid,
             kib / KIB_PER_MIB);
    return true;
}

bool trim_undo(struct daemon *daemon, uint64_t free, uint64_t ok,
               uint64_t now_ms)
{
    size_t i;

    daemon->is_trimmed = false;
    if (trim_is_waiting(daemon, now_ms))
        return trim_has_asked(daemon);
    for (i = 0; i < daemon->guests.count; i++)
        if (daemon->guests.all[i]->is_asked &&
            let_have(daemon, daemon->guests.all[i], free > ok ? free - ok : 0,
                     now_ms))
            return true;
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

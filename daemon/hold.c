/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "hold.h"

#include "log.h"
#include "op/nic.h"

#define PAUSE_MS 10U    /* less than a hotplug script takes */
#define LIMIT_MS 60000U /* for its devices to come */

void hold_expect(struct guest *guest, uint64_t now_ms)
{
    guest->is_holding = true;
    guest->hold_ms = now_ms;
    guest->hold_end_ms = now_ms + LIMIT_MS;
}

void hold_look(struct daemon *daemon, struct guest *guest, uint64_t now_ms)
{
    bool is_done = false;

    if (!guest->is_holding || guest->hold_ms > now_ms)
        return;
    guest->hold_ms = now_ms + PAUSE_MS;
    /*
     * A failure, for example because the interface is removed, is tried again.
     */
    xenfork__nics_hold_restored(daemon->ctx, guest->domid, &is_done);
    if (!is_done && now_ms >= guest->hold_end_ms) {
        log_warning("hold", "domid=%u result=failed", guest->domid);
        is_done = true;
    }
    guest->is_holding = !is_done;
}

uint64_t hold_wake_ms(const struct guests *guests)
{
    uint64_t wake_ms = SERVE_NEVER;
    size_t i;

    for (i = 0; i < guests->count; i++)
        if (guests->all[i]->is_holding && guests->all[i]->hold_ms < wake_ms)
            wake_ms = guests->all[i]->hold_ms;
    return wake_ms;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "shutdown.h"

#include "worker-main.h"

#define RETRY_DOUBLES 5U /* of the time between attempts */

void shutdown_seen(struct guest *guest)
{
    if (guest->is_shutdown)
        return;
    guest->is_applied = false;
    guest->is_repeating = false;
    guest->attempts = 0;
    guest->retry_ms = 0;
}

/*
 * Give repeated attempts at most half of the places: a core that is dumped
 * again and again, or a long detach, does not delay the reboot of another
 * domain.
 */
static bool may_repeat(const struct daemon *daemon)
{
    const struct guests *guests = &daemon->guests;
    uint32_t busy = 0;
    size_t i;

    for (i = 0; i < guests->count; i++)
        busy += guests->all[i]->is_applying && guests->all[i]->is_repeating;
    return busy < (daemon->config.policy_workers + 1) / 2;
}

void shutdown_look(struct daemon *daemon, struct guest *guest, uint64_t now_ms)
{
    if (!guest->is_shutdown || guest->is_applied || guest->is_applying ||
        guest->retry_ms > now_ms)
        return;
    if (!workers_has_room(&daemon->workers, WORKER_POLICY) ||
        (guest->is_repeating && !may_repeat(daemon)))
        return;
    if (workers_start_domain(&daemon->workers, WORKER_POLICY, guest->domid,
                             now_ms) == 0)
        guest->is_applying = true;
    else
        guest->retry_ms = now_ms + SERVE_RETRY_MS;
}

/* Wait longer after each attempt that failed: each may dump a core. */
static void slow_down(struct guest *guest, uint64_t now_ms)
{
    guest->retry_ms = now_ms + ((uint64_t)SERVE_RETRY_MS << guest->attempts);
    if (guest->attempts < RETRY_DOUBLES)
        guest->attempts++;
}

void shutdown_ended(struct guest *guest, int status, uint64_t now_ms)
{
    guest->is_applying = false;
    guest->is_applied = status == 0;
    guest->is_repeating = status != 0;
    if (work_was_busy(status))
        guest->retry_ms = now_ms + SERVE_BUSY_MS;
    else if (status)
        slow_down(guest, now_ms);
}

uint64_t shutdown_wake_ms(const struct daemon *daemon, uint64_t now_ms)
{
    uint64_t wake_ms = SERVE_NEVER;
    size_t i;

    if (!workers_has_room(&daemon->workers, WORKER_POLICY))
        return SERVE_NEVER;
    for (i = 0; i < daemon->guests.count; i++) {
        const struct guest *guest = daemon->guests.all[i];

        if (guest->is_shutdown && !guest->is_applied && !guest->is_applying &&
            guest->retry_ms > now_ms)
            at_latest(&wake_ms, guest->retry_ms);
    }
    return wake_ms;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "guests.h"

#include <stdlib.h>
#include <string.h>

#define NOTE_MS 60000U
#define LOOK_MS 50U /* between two looks at a key */

/* So many events in a second; then none for another. */
#define EVENTS_MAX 32U
#define EVENTS_MS  1000U

void guests_init(struct guests *guests, uint32_t burst, uint64_t interval_ms)
{
    *guests = (struct guests){.burst = burst, .interval_ms = interval_ms};
}

void guests_free(struct guests *guests)
{
    size_t i;

    for (i = 0; i < guests->count; i++)
        free(guests->all[i]);
    free(guests->all);
    guests->all = NULL;
    guests->count = 0;
}

struct guest *guests_find(const struct guests *guests, uint32_t domid)
{
    size_t i;

    for (i = 0; i < guests->count; i++)
        if (guests->all[i]->domid == domid)
            return guests->all[i];
    return NULL;
}

struct guest *guests_add(struct guests *guests, uint32_t domid, uint64_t now_ms)
{
    struct guest **all = reallocarray(guests->all, guests->count + 1,
                                      sizeof(struct guest *));
    struct guest *guest;

    if (!all)
        return NULL;
    guests->all = all;
    guest = calloc(1, sizeof(*guest));
    if (!guest)
        return NULL;
    guest->domid = domid;
    guest->tokens = guests->burst;
    guest->refilled_ms = now_ms;
    all[guests->count++] = guest;
    return guest;
}

void guests_remove(struct guests *guests, uint32_t domid)
{
    size_t i;

    for (i = 0; i < guests->count; i++)
        if (guests->all[i]->domid == domid)
            break;
    if (i == guests->count)
        return;
    free(guests->all[i]);
    guests->count--;
    memmove(&guests->all[i], &guests->all[i + 1],
            (guests->count - i) * sizeof(struct guest *));
    if (guests->turn > i)
        guests->turn--;
}

/* Add the tokens that came back since the last look. */
static void refill(const struct guests *guests, struct guest *guest,
                   uint64_t now_ms)
{
    uint64_t came = (now_ms - guest->refilled_ms) / guests->interval_ms;

    if (guest->tokens + came >= guests->burst) {
        guest->tokens = guests->burst;
        guest->refilled_ms = now_ms;
    } else {
        guest->tokens += (uint32_t)came;
        guest->refilled_ms += came * guests->interval_ms;
    }
}

/* Return when the guest may be served: now, or later. */
static uint64_t ready_ms(const struct guests *guests, const struct guest *guest,
                         uint64_t now_ms)
{
    uint64_t at_ms = now_ms;

    if (guest->is_looked && guest->looked_ms + LOOK_MS > at_ms)
        at_ms = guest->looked_ms + LOOK_MS;
    if (!guest->tokens && guest->refilled_ms + guests->interval_ms > at_ms)
        at_ms = guest->refilled_ms + guests->interval_ms;
    return at_ms;
}

struct guest *guests_next(struct guests *guests, uint64_t now_ms,
                          bool may_failed)
{
    size_t i;

    for (i = 0; i < guests->count; i++) {
        size_t at = (guests->turn + i) % guests->count;
        struct guest *guest = guests->all[at];

        if (!guest->is_requesting || guest->is_freezing ||
            (guest->has_failed && !may_failed))
            continue;
        refill(guests, guest, now_ms);
        if (ready_ms(guests, guest, now_ms) > now_ms)
            continue;
        guest->is_looked = true;
        guest->looked_ms = now_ms;
        guests->turn = (at + 1) % guests->count;
        return guest;
    }
    return NULL;
}

void guests_charge(struct guests *guests, struct guest *guest, uint64_t now_ms)
{
    refill(guests, guest, now_ms);
    if (guest->tokens)
        guest->tokens--;
}

void guests_result(struct guest *guest, bool is_failed, uint64_t now_ms)
{
    guest->is_freezing = false;
    guest->has_failed = is_failed;
    if (is_failed) {
        guest->tokens = 0;
        guest->refilled_ms = now_ms;
    }
}

uint64_t guests_wake_ms(const struct guests *guests, uint64_t now_ms)
{
    uint64_t wake_ms = GUESTS_NEVER;
    size_t i;

    for (i = 0; i < guests->count; i++) {
        const struct guest *guest = guests->all[i];
        uint64_t at_ms = ready_ms(guests, guest, now_ms);

        /* Ready now, but not found: it waits for a place, not for time. */
        if (guest->is_requesting && !guest->is_freezing && at_ms > now_ms &&
            at_ms < wake_ms)
            wake_ms = at_ms;
    }
    return wake_ms;
}

bool guests_is_noisy(struct guest *guest, uint64_t now_ms)
{
    if (now_ms - guest->events_ms >= EVENTS_MS) {
        guest->events_ms = now_ms;
        guest->events = 0;
    }
    if (++guest->events < EVENTS_MAX || guest->is_muted)
        return false;
    guest->is_muted = true;
    guest->muted_ms = now_ms + EVENTS_MS;
    return true;
}

bool guests_may_note(struct guest *guest, uint64_t now_ms)
{
    if (guest->is_noted && now_ms - guest->noted_ms < NOTE_MS)
        return false;
    guest->is_noted = true;
    guest->noted_ms = now_ms;
    return true;
}

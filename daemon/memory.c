/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "memory.h"

#include <string.h>

#include "log.h"
#include "op/memory.h"
#include "op/reserve.h"
#include "state/lock.h"
#include "trim.h"
#include "xen/host-memory.h"

#define PAGES_PER_MIB 256U
#define SCARCE_MS     100U   /* between two looks below memory_low */
#define STEP_MS       1000U  /* while clones are paused, or memory is near it */
#define AMPLE_MS      10000U /* with four times memory_low, or more */

/* Findings of a look at the host. */
struct found {
    uint64_t now_ms;
    uint64_t free, low, floor, ok; /* pages */
    bool is_any;                   /* there is a clone */
    bool is_lazy;                  /* one runs, and is not hydrated */
};

static const char *reason_of(const struct found *found)
{
    return found->free < found->floor ? "floor"
           : found->free < found->low ? "low"
                                      : "unhydrated";
}

/* Note what is done to a clone, now or with one of the next looks. */
static void set_short(struct daemon *daemon, struct guest *guest,
                      const char *is)
{
    guest->unnoted = is;
    if (xenfork__xen_set_short(daemon->ctx, guest->domid, is) == 0)
        guest->unnoted = NULL;
}

static void note_rest(struct daemon *daemon)
{
    size_t i;

    for (i = 0; i < daemon->guests.count; i++)
        if (daemon->guests.all[i]->unnoted)
            set_short(daemon, daemon->guests.all[i],
                      daemon->guests.all[i]->unnoted);
}

void memory_expect(struct daemon *daemon, uint64_t now_ms)
{
    at_latest(&daemon->memory_ms, now_ms);
}

/*
 * Lock a domain, and look at it: a fork pauses and unpauses its source, too.
 * False: it is gone, or another operation is on it, for which nobody waits.
 */
static bool lock_guest(struct daemon *daemon, struct guest *guest,
                       struct xenfork__dominfo *info,
                       struct xenfork__lock **lock_out)
{
    cleanup_lock struct xenfork__lock *lock = NULL;
    char uuid[XENFORK__UUID_CHARS];

    guest->is_locked = true;
    if (xenfork__xen_info(daemon->ctx, guest->domid, info) < 0)
        return false;
    xenfork__uuid_print(info->uuid, uuid);
    if (xenfork__lock_take(daemon->ctx, uuid, false, &lock) < 0 ||
        xenfork__xen_info(daemon->ctx, guest->domid, info) < 0)
        return false;
    guest->is_locked = false;
    *lock_out = steal_ptr(lock);
    return true;
}

/*
 * Finish what was begun.  One that is paused stays so, also if it was about to
 * be resumed: it may lack memory by now.
 */
static bool finish_note(struct daemon *daemon, struct guest *guest)
{
    cleanup_lock struct xenfork__lock *lock = NULL;
    struct xenfork__dominfo info;

    if (!lock_guest(daemon, guest, &info, &lock))
        return false;
    guest->is_paused = info.is_paused;
    set_short(daemon, guest, info.is_paused ? XENFORK__SHORT_PAUSED : "");
    return true;
}

bool memory_meet(struct daemon *daemon, struct guest *guest)
{
    char is[16];

    if (!trim_meet(daemon, guest) ||
        xenfork__xen_short(daemon->ctx, guest->domid, is) < 0)
        return false;
    if (!strcmp(is, XENFORK__SHORT_PAUSED))
        guest->is_paused = true;
    else if (!strcmp(is, XENFORK__SHORT_SPARED))
        guest->is_spared = true;
    else if (!strcmp(is, XENFORK__SHORT_PAUSING) ||
             !strcmp(is, XENFORK__SHORT_RESUMING))
        return finish_note(daemon, guest);
    return true;
}

/*
 * Note what is done before it is done: the next daemon resumes what we have
 * paused, and nothing else.
 */
static bool pause_one(struct daemon *daemon, struct guest *guest,
                      const struct found *found)
{
    cleanup_lock struct xenfork__lock *lock = NULL;
    struct xenfork__dominfo info;

    if (!lock_guest(daemon, guest, &info, &lock) || info.is_paused ||
        xenfork__xen_set_short(daemon->ctx, guest->domid,
                               XENFORK__SHORT_PAUSING) < 0)
        return false;
    if (xenfork__xen_pause(daemon->ctx, guest->domid) < 0) {
        set_short(daemon, guest, "");
        return false;
    }
    guest->is_paused = true;
    guest->is_spared = false;
    set_short(daemon, guest, XENFORK__SHORT_PAUSED);
    log_warning("memory",
                "domid=%u result=paused reason=%s priority=%u hydrated=%u "
                "free_mib=%llu",
                guest->domid, reason_of(found), guest->priority,
                guest->is_hydrated,
                (unsigned long long)(found->free / PAGES_PER_MIB));
    return true;
}

static uint64_t need_of(const struct guest *guest,
                        const struct xenfork__dominfo *info)
{
    return xenfork__memory_need(guest->is_hydrated, guest->pages, info);
}

/*
 * Reserve what a clone lacks that is not hydrated, if that leaves memory_low;
 * else it is paused in time.  Its lock is held.
 */
static void cover_one(struct daemon *daemon, const struct guest *guest,
                      const struct xenfork__dominfo *info, struct found *found)
{
    uint64_t need = need_of(guest, info);
    uint64_t leave = found->low > found->floor ? found->low : found->floor;

    if (guest->is_hydrated || !need ||
        xenfork__cover_again(daemon->ctx, guest->domid, guest->pages, leave) <
            0)
        return;
    found->free -= need < found->free ? need : found->free;
    log_info("memory", "domid=%u result=reserved mib=%llu", guest->domid,
             (unsigned long long)(need / PAGES_PER_MIB));
}

static bool resume_one(struct daemon *daemon, struct guest *guest,
                       struct found *found)
{
    cleanup_lock struct xenfork__lock *lock = NULL;
    struct xenfork__dominfo info;

    if (!lock_guest(daemon, guest, &info, &lock) || !info.is_paused)
        return false;
    cover_one(daemon, guest, &info, found);
    if (xenfork__xen_set_short(daemon->ctx, guest->domid,
                               XENFORK__SHORT_RESUMING) < 0 ||
        xenfork__xen_unpause(daemon->ctx, guest->domid) < 0)
        return false;
    guest->is_paused = false;
    set_short(daemon, guest, guest->is_waiting ? XENFORK__SHORT_WAITS : "");
    log_info("memory", "domid=%u result=resumed priority=%u free_mib=%llu",
             guest->domid, guest->priority,
             (unsigned long long)(found->free / PAGES_PER_MIB));
    return true;
}

static bool is_before(const struct guest *a, const struct guest *b)
{
    const struct xenfork__rank one = {a->is_hydrated, a->priority, a->domid};
    const struct xenfork__rank other = {b->is_hydrated, b->priority, b->domid};

    return xenfork__rank_is_before(&one, &other);
}

/* Tell whether a clone takes of the host's free memory with its next write. */
static bool is_taking(const struct guest *guest,
                      const struct xenfork__dominfo *info)
{
    return xenfork__memory_is_taking(guest->is_hydrated, guest->pages, info);
}

static bool runs(struct daemon *daemon, struct guest *guest,
                 struct xenfork__dominfo *info)
{
    return guest->is_clone && !guest->is_paused &&
           xenfork__xen_info(daemon->ctx, guest->domid, info) == 0 &&
           !info->is_paused && !info->is_shutdown && !info->is_dying;
}

/*
 * Find the clone that is to be paused next; NULL: none.  @is_lazy: of those
 * that are not hydrated, which are never spared: they could read nonsense.
 */
static struct guest *next_to_pause(struct daemon *daemon, bool is_lazy)
{
    struct guest *best = NULL;
    struct xenfork__dominfo info;
    size_t i;

    for (i = 0; i < daemon->guests.count; i++) {
        struct guest *guest = daemon->guests.all[i];

        if (!guest->is_locked &&
            !(is_lazy ? guest->is_hydrated : guest->is_spared) &&
            runs(daemon, guest, &info) && is_taking(guest, &info) &&
            (!best || is_before(guest, best)))
            best = guest;
    }
    return best;
}

/*
 * Return what the clones that run, and are not hydrated, can take; what they
 * touch and cannot have reads as nonsense, so that is never to happen.
 */
static uint64_t lazy_need(struct daemon *daemon, struct found *found)
{
    struct xenfork__dominfo info;
    uint64_t need = 0;
    size_t i;

    for (i = 0; i < daemon->guests.count; i++) {
        struct guest *guest = daemon->guests.all[i];

        if (guest->is_hydrated || !runs(daemon, guest, &info))
            continue;
        need += need_of(guest, &info);
        found->is_lazy |= need > 0;
    }
    return need;
}

/*
 * Tell whether a clone has all that it may touch if it runs, besides those that
 * run: else it would be paused at once.
 */
static bool is_covered(struct daemon *daemon, struct found *found,
                       const struct guest *guest)
{
    struct xenfork__dominfo info;

    if (!found->low || guest->is_hydrated || !guest->is_clone)
        return true;
    return xenfork__xen_info(daemon->ctx, guest->domid, &info) == 0 &&
           lazy_need(daemon, found) +
                   (guest->is_paused ? need_of(guest, &info) : 0) +
                   found->floor <=
               found->free;
}

static struct guest *next_to_resume(struct daemon *daemon, struct found *found)
{
    struct guest *best = NULL;
    size_t i;

    for (i = 0; i < daemon->guests.count; i++) {
        struct guest *guest = daemon->guests.all[i];

        if (guest->is_paused && !guest->is_locked &&
            (!best || is_before(best, guest)) &&
            is_covered(daemon, found, guest))
            best = guest;
    }
    return best;
}

/*
 * Note clones that their user has unpaused: they are let alone for a while, as
 * long as they have all that they may touch.
 */
static void note_spared(struct daemon *daemon)
{
    struct xenfork__dominfo info;
    size_t i;

    for (i = 0; i < daemon->guests.count; i++) {
        cleanup_lock struct xenfork__lock *lock = NULL;
        struct guest *guest = daemon->guests.all[i];

        guest->is_locked = false;
        if (!guest->is_paused ||
            xenfork__xen_info(daemon->ctx, guest->domid, &info) < 0 ||
            info.is_paused || !lock_guest(daemon, guest, &info, &lock) ||
            info.is_paused)
            continue;
        set_short(daemon, guest, XENFORK__SHORT_SPARED);
        guest->is_paused = false;
        guest->is_spared = true;
        log_info("memory", "domid=%u result=spared", guest->domid);
    }
}

static void forget_spared(struct daemon *daemon, struct found *found)
{
    size_t i;

    for (i = 0; i < daemon->guests.count; i++) {
        struct guest *guest = daemon->guests.all[i];

        if (!guest->is_spared || !is_covered(daemon, found, guest))
            continue;
        set_short(daemon, guest, "");
        guest->is_spared = false;
    }
}

/* Reserve what clones that run and are not hydrated lack, and have lost. */
static void cover_lazy(struct daemon *daemon, struct found *found)
{
    struct xenfork__dominfo info;
    size_t i;

    for (i = 0; i < daemon->guests.count; i++) {
        cleanup_lock struct xenfork__lock *lock = NULL;
        struct guest *guest = daemon->guests.all[i];

        if (!guest->is_hydrated && runs(daemon, guest, &info) &&
            need_of(guest, &info) && lock_guest(daemon, guest, &info, &lock))
            cover_one(daemon, guest, &info, found);
    }
}

/* Pause clones that are not hydrated, until the rest have all they can need. */
static void pause_lazy(struct daemon *daemon, struct found *found)
{
    struct guest *guest;

    while (lazy_need(daemon, found) + found->floor > found->free &&
           (guest = next_to_pause(daemon, true)))
        if (!pause_one(daemon, guest, found) && !guest->is_locked)
            return;
}

/* Pause the next clone on which no other operation is. */
static void pause_next(struct daemon *daemon, const struct found *found)
{
    struct guest *guest;

    while ((guest = next_to_pause(daemon, false)) &&
           !pause_one(daemon, guest, found) && guest->is_locked)
        ;
}

static bool has_paused(const struct daemon *daemon)
{
    size_t i;

    for (i = 0; i < daemon->guests.count; i++)
        if (daemon->guests.all[i]->is_paused)
            return true;
    return false;
}

/* Take one step, if one is due. */
static void take_step(struct daemon *daemon, struct found *found)
{
    struct guest *guest;

    note_rest(daemon);
    note_spared(daemon);
    cover_lazy(daemon, found);
    if (found->low)
        pause_lazy(daemon, found);
    if (found->free < found->low) {
        trim_begin(daemon, found->now_ms);
        if (found->free < found->floor ||
            !trim_is_waiting(daemon, found->now_ms))
            pause_next(daemon, found);
    } else if (!found->low || found->free >= found->ok) {
        guest = next_to_resume(daemon, found);
        if (guest)
            resume_one(daemon, guest, found);
        else if (!has_paused(daemon) &&
                 !trim_undo(daemon, found->free, found->low ? found->ok : 0,
                            found->now_ms))
            forget_spared(daemon, found);
    }
}

/* Tell whether something is to be undone when there is memory. */
static bool is_busy(const struct daemon *daemon)
{
    return has_paused(daemon) || trim_has_asked(daemon);
}

static uint64_t pace_ms(struct daemon *daemon, const struct found *found)
{
    if (found->free < found->low || found->is_lazy)
        return SCARCE_MS;
    return found->free < 4 * found->low || is_busy(daemon) ? STEP_MS : AMPLE_MS;
}

static bool has_clone(const struct daemon *daemon)
{
    size_t i;

    for (i = 0; i < daemon->guests.count; i++)
        if (daemon->guests.all[i]->is_clone ||
            daemon->guests.all[i]->is_paused || daemon->guests.all[i]->is_asked)
            return true;
    return false;
}

void memory_turn(struct daemon *daemon, uint64_t now_ms)
{
    const struct config *config = &daemon->config;
    struct found found = {
        .now_ms = now_ms,
        .low = (uint64_t)config->memory_low_mib * PAGES_PER_MIB,
        .floor = (uint64_t)config->memory_floor_mib * PAGES_PER_MIB,
        .ok = (uint64_t)config->memory_ok_mib * PAGES_PER_MIB};

    if (daemon->memory_ms > now_ms)
        return;
    daemon->memory_ms = SERVE_NEVER;
    if (!has_clone(daemon))
        return;
    if (xenfork__xen_free_pages(daemon->ctx, &found.free) < 0) {
        daemon->memory_ms = now_ms + STEP_MS;
        return;
    }
    take_step(daemon, &found);
    if (found.low || is_busy(daemon))
        daemon->memory_ms = now_ms + pace_ms(daemon, &found);
}

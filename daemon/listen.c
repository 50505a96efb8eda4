/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "listen.h"

#include <string.h>

#include "log.h"
#include "memory.h"
#include "op/domain.h"
#include "op/orphans.h"
#include "op/reserve.h"
#include "xen/host-memory.h"

#define PAGES_PER_MIB 256U
#define LOOK_MS       1000U  /* between two looks at the records */
#define LAZY_MS       5000U  /* while one is being hydrated */
#define LAZIER_MS     60000U /* while one may be */
#define AGAIN_MS      100U   /* and twice as long, up to ... */
#define MAX_AGAIN_MS  1000U
#define EVENTS_MAX    64U

void listen_begin(struct daemon *daemon)
{
    struct listen *listen = &daemon->listen;

    listen->look_ms = 0;
    listen->again_ms = SERVE_NEVER;
    if (xenfork__host_rings_open(daemon->ctx, &listen->rings) < 0)
        log_warning("memory", "result=deaf");
}

void listen_end(struct daemon *daemon)
{
    xenfork__host_rings_close(daemon->listen.rings);
    daemon->listen.rings = NULL;
}

void listen_expect(struct daemon *daemon, uint64_t now_ms)
{
    struct listen *listen = &daemon->listen;
    uint64_t ms = listen->looked_ms + LOOK_MS;

    at_latest(&listen->look_ms, ms > now_ms ? ms : now_ms);
}

/*
 * Have vCPUs that wait since the last daemon try again, whatever there is:
 * those that find nothing say so.
 */
static void resume_old(struct daemon *daemon, struct guest *guest)
{
    struct listen *listen = &daemon->listen;
    char is[16];

    xenfork__host_ring_answer(daemon->ctx, listen->rings, guest->domid);
    guest->is_waiting = xenfork__xen_short(daemon->ctx, guest->domid, is) < 0 ||
                        !strcmp(is, XENFORK__SHORT_WAITS);
    guest->waiting_ms = listen->looked_ms;
    listen->pause_ms = AGAIN_MS;
    at_latest(&listen->again_ms, listen->looked_ms + AGAIN_MS);
}

/* Listen to a domain; as early as there is memory for it. */
static void listen_to(struct daemon *daemon, uint32_t domid)
{
    struct listen *listen = &daemon->listen;
    struct guest *guest = guests_find(&daemon->guests, domid);
    int rc;

    if (!guest || !listen->rings ||
        xenfork__host_ring_has(listen->rings, domid))
        return;
    rc = xenfork__host_ring_add(daemon->ctx, listen->rings, domid);
    if (rc == 0) {
        log_debug("memory", "domid=%u result=heard", domid);
        resume_old(daemon, guest);
        return;
    }
    if (!guest->is_unheard)
        log_warning("memory", "domid=%u result=unheard code=%s", domid,
                    xenfork_code_name(rc));
    guest->is_unheard = true;
    at_latest(&listen->look_ms, listen->looked_ms + LOOK_MS);
}

/* Note what the guard of the host's memory has to know of a clone. */
static void describe_clone(struct daemon *daemon, uint32_t domid,
                           const struct xenfork__record *clone)
{
    struct guest *guest = guests_find(&daemon->guests, domid);

    if (!guest)
        return;
    guest->is_clone = true;
    guest->is_hydrated = clone->hydrated == 100;
    guest->priority = clone->priority;
    guest->pages = clone->pages;
    /* Nothing tells when it is. */
    if (!guest->is_hydrated)
        at_latest(&daemon->listen.look_ms,
                  daemon->listen.looked_ms +
                      (xenfork__wants_hydration(clone) ? LAZY_MS : LAZIER_MS));
}

static bool listen_to_clones(struct daemon *daemon)
{
    cleanup_records struct xenfork__records clones = {0};
    struct xenfork__dominfo info;
    size_t i;

    if (xenfork__records_load(daemon->ctx, XENFORK_KIND_CLONE, &clones) < 0)
        return false;
    for (i = 0; i < clones.count; i++)
        if (xenfork__record_info(daemon->ctx, clones.records[i], &info) == 0) {
            listen_to(daemon, info.domid);
            describe_clone(daemon, info.domid, clones.records[i]);
        }
    return true;
}

/*
 * Lower a source's reservation.  One that waits when it finds no memory need
 * not have all in reserve.  A fork that is under way goes by what it has.
 */
static void lower_source(struct daemon *daemon, uint32_t domid)
{
    uint64_t pages;
    int rc;

    if (!daemon->listen.rings ||
        !xenfork__host_ring_has(daemon->listen.rings, domid))
        return;
    rc = xenfork__source_lower(daemon->ctx, domid,
                               daemon->config.source_reserve, &pages);
    if (rc == XENFORK_E_BUSY)
        at_latest(&daemon->listen.look_ms, daemon->listen.looked_ms + LAZY_MS);
    if (rc == 0 && pages)
        log_info("memory", "domid=%u result=lowered reserved_mib=%llu", domid,
                 (unsigned long long)(pages / PAGES_PER_MIB));
}

static void hear_source(struct daemon *daemon, const uint8_t uuid[16])
{
    uint32_t domid;

    if (xenfork__xen_by_uuid(daemon->ctx, uuid, &domid) < 0)
        return;
    listen_to(daemon, domid);
    lower_source(daemon, domid);
}

static int hear_orphans_source(xenfork_ctx *ctx,
                               const struct xenfork__record *orphan,
                               const uint8_t source[16], void *opaque)
{
    (void)ctx;
    (void)orphan;
    hear_source(opaque, source);
    return 0;
}

static bool add_sources(struct daemon *daemon)
{
    cleanup_records struct xenfork__records images = {0}, clones = {0};
    size_t i;

    if (xenfork__records_load(daemon->ctx, XENFORK_KIND_IMAGE, &images) < 0 ||
        xenfork__records_load(daemon->ctx, XENFORK_KIND_CLONE, &clones) < 0)
        return false;
    for (i = 0; i < images.count; i++)
        hear_source(daemon, images.records[i]->parent);
    return xenfork__orphans_each(daemon->ctx, &images, &clones,
                                 hear_orphans_source, daemon) == 0;
}

/*
 * Listen to those to whom the last daemon listened: they may wait.  Go on with
 * what it has paused.
 */
static void add_known(struct daemon *daemon)
{
    size_t i;

    for (i = 0; i < daemon->guests.count; i++) {
        struct guest *guest = daemon->guests.all[i];

        if (guest->is_known)
            continue;
        if (xenfork__host_ring_was(daemon->ctx, guest->domid))
            listen_to(daemon, guest->domid);
        guest->is_known = memory_meet(daemon, guest);
        if (!guest->is_known)
            listen_expect(daemon, daemon->listen.looked_ms);
    }
}

static void look_for_domains(struct daemon *daemon, uint64_t now_ms)
{
    daemon->listen.looked_ms = now_ms;
    daemon->listen.look_ms = SERVE_NEVER;
    if (!listen_to_clones(daemon) || !add_sources(daemon))
        listen_expect(daemon, now_ms);
    add_known(daemon);
    memory_expect(daemon, now_ms);
}

/* Note that a domain waits, or goes on, for those who monitor it. */
static void note_waiting(struct daemon *daemon, struct guest *guest,
                         bool is_waiting, uint64_t now_ms)
{
    char is[16];

    if (guest->is_waiting == is_waiting)
        return;
    guest->is_waiting = is_waiting;
    if (is_waiting) {
        guest->waiting_ms = now_ms;
        log_warning("memory", "domid=%u result=waits", guest->domid);
    } else {
        log_info("memory", "domid=%u result=ok ms=%llu", guest->domid,
                 (unsigned long long)(now_ms - guest->waiting_ms));
    }
    /* The guard has the last word on one that it has paused. */
    if (xenfork__xen_short(daemon->ctx, guest->domid, is) == 0 &&
        (!*is || !strcmp(is, XENFORK__SHORT_WAITS)))
        xenfork__xen_set_short(daemon->ctx, guest->domid,
                               is_waiting ? XENFORK__SHORT_WAITS : "");
}

void listen_take(struct daemon *daemon, uint64_t now_ms)
{
    struct listen *listen = &daemon->listen;
    uint32_t domid, i;
    int event;

    for (i = 0; listen->rings && i < EVENTS_MAX; i++) {
        struct guest *guest;

        event = xenfork__host_rings_event(listen->rings, &domid);
        if (event == XENFORK__RING_NONE)
            return;
        memory_expect(daemon, now_ms);
        if (event == XENFORK__RING_LOW)
            log_debug("memory", "result=low");
        guest = guests_find(&daemon->guests, domid);
        if (event != XENFORK__RING_WAITS || !guest ||
            !xenfork__host_ring_waits(listen->rings, domid))
            continue;
        note_waiting(daemon, guest, true, now_ms);
        if (!listen->pause_ms)
            listen->pause_ms = AGAIN_MS;
        at_latest(&listen->again_ms, now_ms + listen->pause_ms);
    }
}

/* Tell whether the domain may find memory now, its own or the host's. */
static bool may_try(struct daemon *daemon, uint32_t domid)
{
    struct xenfork__dominfo info;
    uint64_t pages;

    if (xenfork__xen_info(daemon->ctx, domid, &info) == 0 && info.claimed_pages)
        return true;
    return xenfork__xen_free_pages(daemon->ctx, &pages) == 0 &&
           pages >= (uint64_t)daemon->config.memory_floor_mib * PAGES_PER_MIB;
}

/*
 * Have those that wait try again.  One that then finds nothing waits again, and
 * says so.
 */
static void answer(struct daemon *daemon, uint64_t now_ms)
{
    struct listen *listen = &daemon->listen;
    bool is_waiting = false;
    size_t i;

    listen->again_ms = SERVE_NEVER;
    for (i = 0; i < daemon->guests.count; i++) {
        struct guest *guest = daemon->guests.all[i];

        if (!xenfork__host_ring_waits(listen->rings, guest->domid)) {
            note_waiting(daemon, guest, false, now_ms);
            continue;
        }
        if (may_try(daemon, guest->domid) &&
            xenfork__host_ring_answer(daemon->ctx, listen->rings,
                                      guest->domid) == 0) {
            note_waiting(daemon, guest, false, now_ms);
            continue;
        }
        note_waiting(daemon, guest, true, now_ms);
        is_waiting = true;
    }
    listen->pause_ms = !is_waiting ? 0
                       : listen->pause_ms * 2 < MAX_AGAIN_MS
                           ? listen->pause_ms * 2
                           : MAX_AGAIN_MS;
    if (is_waiting)
        listen->again_ms = now_ms + listen->pause_ms;
}

void listen_turn(struct daemon *daemon, uint64_t now_ms)
{
    struct listen *listen = &daemon->listen;

    if (listen->look_ms <= now_ms)
        look_for_domains(daemon, now_ms);
    if (listen->rings && listen->again_ms <= now_ms)
        answer(daemon, now_ms);
    memory_turn(daemon, now_ms);
}

void listen_gone(struct daemon *daemon, uint32_t domid)
{
    struct listen *listen = &daemon->listen;

    if (!listen->rings)
        return;
    xenfork__host_ring_forget(listen->rings, domid);
    /* Others may have its memory now. */
    if (listen->again_ms != SERVE_NEVER)
        listen->again_ms = 0;
}

uint64_t listen_wake_ms(const struct daemon *daemon)
{
    uint64_t wake_ms = daemon->memory_ms;

    at_latest(&wake_ms, daemon->listen.look_ms);
    at_latest(&wake_ms, daemon->listen.again_ms);
    return wake_ms;
}

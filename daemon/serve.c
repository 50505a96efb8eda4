/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "serve.h"

#include "ack.h"
#include "ephemeral.h"
#include "hold.h"
#include "listen.h"
#include "log.h"
#include "look.h"
#include "request.h"
#include "shutdown.h"
#include "worker-main.h"
#include "xen/xen.h"

#define RECOVER_DELAY_MS 500U   /* events come in swarms */
#define KILL_GRACE_MS    30000U /* for undoing, after a freeze's timeout */
#define HYDRATE_FORKS    32U
#define ATTENDED_FREEZES 32U
#define ACK_WORKERS      4U
#define REMOVE_WORKERS   4U
#define ACK_LIMIT_MS     60000U

void serve_configure(struct daemon *daemon, const struct config *config)
{
    struct workers *workers = &daemon->workers;

    daemon->config = *config;
    daemon->memory_ms = 0; /* its limits may have changed */
    log_set_level(config->log_level);
    daemon->guests.burst = config->freeze_burst;
    daemon->guests.interval_ms = config->freeze_interval_s * 1000ULL;
    workers_limit(workers, WORKER_FREEZE,
                  config->is_freeze_allowed ? config->freeze_workers : 0,
                  config->freeze_timeout_s * 1000ULL + KILL_GRACE_MS);
    workers_limit(workers, WORKER_POLICY,
                  config->has_policies ? config->policy_workers : 0,
                  config->policy_timeout_s * 1000ULL);
    workers_limit(workers, WORKER_RESTART,
                  config->has_policies ? config->policy_workers : 0,
                  config->policy_timeout_s * 1000ULL);
    workers_limit(workers, WORKER_HYDRATE, HYDRATE_FORKS, WORKER_NO_END);
    workers_limit(workers, WORKER_ATTEND, ATTENDED_FREEZES, WORKER_NO_END);
    /* Recovery has no time limit: its undoing would begin anew each time. */
    workers_limit(workers, WORKER_RECOVER, 1, WORKER_NO_END);
    workers_limit(workers, WORKER_ACK, ACK_WORKERS, ACK_LIMIT_MS);
    workers_limit(workers, WORKER_REMOVE, REMOVE_WORKERS, WORKER_NO_END);
}

bool serve_init(struct daemon *daemon, xenfork_ctx *ctx,
                const struct config *config, worker_spawn_fn *spawn,
                void *opaque, uint64_t now_ms)
{
    *daemon = (struct daemon){.ctx = ctx,
                              .domains_ms = now_ms,
                              .recover_ms = now_ms,
                              .state_ms = SERVE_NEVER,
                              .root = ""};
    guests_init(&daemon->guests, config->freeze_burst,
                config->freeze_interval_s * 1000ULL);
    if (!workers_init(&daemon->workers, spawn, opaque))
        return false;
    serve_configure(daemon, config);
    listen_begin(daemon);
    return true;
}

void serve_free(struct daemon *daemon)
{
    listen_end(daemon);
    guests_free(&daemon->guests);
    retries_free(&daemon->restarts);
    retries_free(&daemon->removals);
    workers_free(&daemon->workers);
}

void serve_event(struct daemon *daemon, uint32_t events, uint32_t domid,
                 uint64_t now_ms)
{
    struct guest *guest = guests_find(&daemon->guests, domid);

    if (events & XENFORK__EVENT_DOMAINS) {
        at_latest(&daemon->domains_ms, now_ms);
        at_latest(&daemon->recover_ms, now_ms + RECOVER_DELAY_MS);
    }
    if (guest && guests_is_noisy(guest, now_ms))
        xenfork__host_unwatch_guest(daemon->ctx, domid);
    if (guest && (events & XENFORK__EVENT_REQUEST))
        guest->is_requesting = true;
    if (guest && (events & XENFORK__EVENT_ACK))
        ack_expect(guest, now_ms);
    if (guest && (events & XENFORK__EVENT_ASKED))
        ephemeral_asked(daemon, guest, now_ms);
}

void serve_state_changed(struct daemon *daemon, uint64_t now_ms)
{
    daemon->state_looks = 0;
    at_latest(&daemon->state_ms, now_ms + SERVE_STATE_DELAY_MS);
    listen_expect(daemon, now_ms);
}

static struct guest *guest_of(const struct daemon *daemon, const char *target)
{
    uint32_t domid;

    return xenfork__domid_parse(target, &domid)
               ? guests_find(&daemon->guests, domid)
               : NULL;
}

/* Note the end of a restart; others may have waited for its place. */
static void restart_ended(struct daemon *daemon, const struct worker *worker,
                          int status, uint64_t now_ms)
{
    if (status)
        retries_failed(
            &daemon->restarts, worker->target,
            now_ms + (work_was_busy(status) ? SERVE_BUSY_MS : SERVE_RETRY_MS));
    else
        retries_ended(&daemon->restarts, worker->target);
    at_latest(&daemon->state_ms, now_ms);
}

void serve_ended(struct daemon *daemon, pid_t pid, int status, uint64_t now_ms)
{
    struct worker worker;
    struct guest *guest;

    if (!workers_ended(&daemon->workers, pid, &worker))
        return;
    guest = guest_of(daemon, worker.target);
    log_event(status ? LOG_LEVEL_WARNING : LOG_LEVEL_DEBUG, "worker",
              "kind=%s target=%s result=%s ms=%llu",
              worker_kind_name(worker.kind), worker.target,
              status ? "failed" : "ok",
              (unsigned long long)(now_ms - worker.started_ms));
    at_latest(&daemon->domains_ms, now_ms);
    switch (worker.kind) {
    case WORKER_FREEZE:
        if (guest)
            request_ended(daemon, guest, &worker, status, now_ms);
        break;
    case WORKER_POLICY:
        if (guest)
            shutdown_ended(guest, status, now_ms);
        if (status)
            serve_state_changed(daemon, now_ms);
        break;
    case WORKER_ACK:
        if (guest)
            ack_ended(guest, status, now_ms);
        break;
    case WORKER_REMOVE:
        ephemeral_ended(daemon, worker.target, status, now_ms);
        break;
    case WORKER_RESTART:
        restart_ended(daemon, &worker, status, now_ms);
        break;
    case WORKER_RECOVER:
        serve_state_changed(daemon, now_ms);
        break;
    default:
        /* Note the end of a restart; others may have waited for its place. */
        at_latest(&daemon->state_ms, status ? now_ms + SERVE_RETRY_MS : now_ms);
    }
}

/*
 * Add a guest; its watch reports at once, so that a request that waits is seen.
 * NULL: later.
 */
static struct guest *add_guest(struct daemon *daemon, uint32_t domid,
                               uint64_t now_ms)
{
    struct guest *guest = guests_add(&daemon->guests, domid, now_ms);

    if (guest)
        ephemeral_met(daemon, guest, now_ms);
    if (guest && xenfork__host_watch_guest(daemon->ctx, domid) < 0) {
        guests_remove(&daemon->guests, domid);
        guest = NULL;
    }
    if (guest)
        hold_expect(guest, now_ms);
    else
        at_latest(&daemon->domains_ms, now_ms + SERVE_LOOK_AGAIN_MS);
    return guest;
}

static void note_domain(struct daemon *daemon,
                        const struct xenfork__host_domain *domain,
                        uint64_t now_ms)
{
    struct guest *guest = guests_find(&daemon->guests, domain->domid);

    if (!guest && !(guest = add_guest(daemon, domain->domid, now_ms)))
        return;
    guest->is_present = true;
    ephemeral_seen(daemon, guest, domain, now_ms);
    shutdown_seen(guest);
}

static void look_at_domains(struct daemon *daemon, uint64_t now_ms)
{
    cleanup_free struct xenfork__host_domain *domains = NULL;
    struct guests *guests = &daemon->guests;
    size_t count, i;

    daemon->domains_ms = SERVE_NEVER;
    if (xenfork__host_domains(daemon->ctx, &domains, &count) < 0) {
        daemon->domains_ms = now_ms + SERVE_LOOK_AGAIN_MS;
        return;
    }
    for (i = 0; i < guests->count; i++)
        guests->all[i]->is_present = false;
    for (i = 0; i < count; i++)
        note_domain(daemon, &domains[i], now_ms);
    for (i = guests->count; i-- > 0;) {
        uint32_t domid = guests->all[i]->domid;

        if (guests->all[i]->is_present)
            continue;
        xenfork__host_unwatch_guest(daemon->ctx, domid);
        ephemeral_gone(daemon, guests->all[i], now_ms);
        listen_gone(daemon, domid);
        guests_remove(guests, domid);
    }
    listen_expect(daemon, now_ms);
}

static void start_recover(struct daemon *daemon, uint64_t now_ms)
{
    daemon->recover_ms = SERVE_NEVER;
    if (workers_start(&daemon->workers, WORKER_RECOVER, "all", now_ms) < 0)
        daemon->recover_ms = now_ms + SERVE_RETRY_MS;
}

void serve_turn(struct daemon *daemon, uint64_t now_ms)
{
    size_t i;

    workers_expire(&daemon->workers, now_ms);
    if (daemon->is_ending)
        return;
    if (daemon->domains_ms <= now_ms)
        look_at_domains(daemon, now_ms);
    request_turn(daemon, now_ms);
    for (i = 0; i < daemon->guests.count; i++) {
        hold_look(daemon, daemon->guests.all[i], now_ms);
        request_unmute(daemon, daemon->guests.all[i], now_ms);
        shutdown_look(daemon, daemon->guests.all[i], now_ms);
        ack_look(daemon, daemon->guests.all[i], now_ms);
    }
    listen_turn(daemon, now_ms);
    ephemeral_turn(daemon, now_ms);
    if (daemon->recover_ms <= now_ms &&
        workers_has_room(&daemon->workers, WORKER_RECOVER))
        start_recover(daemon, now_ms);
    if (daemon->state_ms <= now_ms)
        look_at_state(daemon, now_ms);
}

/*
 * Return the time of the next turn.  Work that waits for a free place is woken
 * by the worker that frees it.
 */
uint64_t serve_wake_ms(const struct daemon *daemon, uint64_t now_ms)
{
    uint64_t wake_ms = workers_wake_ms(&daemon->workers);

    if (daemon->is_ending)
        return wake_ms;
    at_latest(&wake_ms, request_wake_ms(daemon, now_ms));
    at_latest(&wake_ms, ephemeral_wake_ms(daemon));
    at_latest(&wake_ms, listen_wake_ms(daemon));
    at_latest(&wake_ms, shutdown_wake_ms(daemon, now_ms));
    if (workers_has_room(&daemon->workers, WORKER_ACK))
        at_latest(&wake_ms, ack_wake_ms(&daemon->guests));
    if (workers_has_room(&daemon->workers, WORKER_RECOVER))
        at_latest(&wake_ms, daemon->recover_ms);
    at_latest(&wake_ms, hold_wake_ms(&daemon->guests));
    at_latest(&wake_ms, daemon->domains_ms);
    at_latest(&wake_ms, daemon->state_ms);
    return wake_ms;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "ephemeral.h"

#include <string.h>

#include "halt.h"
#include "log.h"
#include "op/destroy.h"
#include "op/leave.h"
#include "op/recover.h"
#include "state/journal.h"
#include "state/lock.h"
#include "state/record.h"
#include "state/restart.h"
#include "worker-main.h"
#include "xen/xen.h"

/*
 * libxl waits 60 s for a guest that it has asked to suspend, and then gives
 * up (libxl_dom_suspend.c, 4.17); one that has suspended is seen so.
 */
#define LEAVING_MS 120000U
/* A domain is made, runs, is asked to suspend and answers in no less. */
#define KEY_MS 1000U
/* xendomains ends a moment after the last domain. */
#define HALT_MS 60000U

/*
 * Note a new clone.  It may be destroyed a moment after it was made, before its
 * watch has spoken.  Its key may come after it is watched: that asks for
 * nothing.
 */
void ephemeral_met(struct daemon *daemon, struct guest *guest, uint64_t now_ms)
{
    int asked;

    guest->has_key = true;
    if (xenfork__host_asked(daemon->ctx, guest->domid, &asked) < 0)
        return;
    guest->is_heard = true;
    guest->has_key = asked != XENFORK__ASKED_NO_KEY;
    if (asked == XENFORK__ASKED_SUSPEND)
        guest->leaving_ms = now_ms + LEAVING_MS;
}

/*
 * Note that it was asked for something.  A watch speaks once at first, though
 * nothing was asked, and twice when the key is made: it is written, and
 * permitted to the guest.
 */
void ephemeral_asked(struct daemon *daemon, struct guest *guest,
                     uint64_t now_ms)
{
    bool is_first = !guest->has_spoken;
    int asked = XENFORK__ASKED_SUSPEND;

    if (xenfork__host_asked(daemon->ctx, guest->domid, &asked) < 0)
        asked = XENFORK__ASKED_SUSPEND;
    if (!guest->has_key && asked != XENFORK__ASKED_NO_KEY) {
        guest->has_key = true;
        guest->made_ms = now_ms + KEY_MS;
    }
    if (asked == XENFORK__ASKED_SUSPEND ||
        (asked == XENFORK__ASKED && !is_first && now_ms >= guest->made_ms))
        guest->leaving_ms = now_ms + LEAVING_MS;
    if (!guest->is_heard)
        at_latest(&daemon->domains_ms, now_ms);
    guest->has_spoken = true;
    guest->is_heard = true;
}

static void note_halt(struct daemon *daemon, uint64_t now_ms)
{
    if (halt_has_xendomains(daemon->root))
        daemon->halt_ms = now_ms + HALT_MS;
}

void ephemeral_seen(struct daemon *daemon, struct guest *guest,
                    const struct xenfork__host_domain *domain, uint64_t now_ms)
{
    bool was_suspended = guest->is_suspended, was_shutdown = guest->is_shutdown;

    guest->is_suspended = domain->is_shutdown &&
                          domain->reason == XENFORK__SHUTDOWN_SUSPEND;
    guest->is_shutdown = domain->is_shutdown && !guest->is_suspended;
    guest->reason = domain->reason;
    if (guest->is_shutdown && !was_shutdown)
        note_halt(daemon, now_ms);
    if (domain->is_shutdown)
        return;
    /* The suspended guest runs again: it does not leave this host. */
    if (was_suspended)
        guest->leaving_ms = 0;
    guest->is_running = guest->is_heard;
}

/*
 * Tell why a domain that is gone may have been saved, or migrated, rather than
 * destroyed.  NULL: it was destroyed.
 */
static const char *why_in_doubt(const struct guest *guest, uint64_t now_ms)
{
    if (guest->is_suspended)
        return "it was suspended";
    if (guest->leaving_ms > now_ms)
        return "it was asked to suspend";
    if (guest->is_muted)
        return "it writes to xenstore too often";
    return guest->is_running ? NULL : "it was not seen to run";
}

/*
 * Return the least kind of ephemeral clone that is removed after such an end.
 */
static uint32_t least_for(const struct guest *guest, uint64_t now_ms)
{
    if (guest->is_shutdown) {
        switch (guest->reason) {
        case XENFORK__SHUTDOWN_POWEROFF:
            return XENFORK__EPHEMERAL_POWEROFF;
        case XENFORK__SHUTDOWN_CRASH:
        case XENFORK__SHUTDOWN_WATCHDOG:
            return XENFORK__EPHEMERAL_CRASH;
        default:
            return XENFORK__EPHEMERAL_NEVER;
        }
    }
    /* Destroyed: nothing else ends a domain that ran on. */
    return why_in_doubt(guest, now_ms) ? XENFORK__EPHEMERAL_NEVER
                                       : XENFORK__EPHEMERAL_POWEROFF;
}

/* Find the clone of a domain.  NULL: it is not a clone, or is to stay. */
static const struct xenfork__record *find_ephemeral(
    const xenfork_ctx *ctx, const struct xenfork__records *clones,
    uint32_t domid, uint32_t least)
{
    size_t i;

    for (i = 0; i < clones->count; i++)
        if (xenfork__record_has_domid(ctx, clones->records[i], domid))
            return clones->records[i]->ephemeral >= least ? clones->records[i]
                                                          : NULL;
    return NULL;
}

void ephemeral_gone(struct daemon *daemon, const struct guest *guest,
                    uint64_t now_ms)
{
    cleanup_records struct xenfork__records clones = {0};
    uint32_t least = least_for(guest, now_ms);
    char target[WORKER_TARGET_BYTES];

    /* One that reboots is not about to go. */
    if (!least && guest->is_shutdown)
        return;
    if (xenfork__records_load(daemon->ctx, XENFORK_KIND_CLONE, &clones) < 0 ||
        !find_ephemeral(daemon->ctx, &clones, guest->domid,
                        least ? least : XENFORK__EPHEMERAL_POWEROFF))
        return;
    if (!least) {
        log_info("ephemeral",
                 "domid=%u result=kept reason=\"%s: it may have been saved, or "
                 "migrated\"",
                 guest->domid, why_in_doubt(guest, now_ms));
        return;
    }
    note_halt(daemon, now_ms);
    if (daemon->halt_ms > now_ms) {
        log_info("ephemeral", "domid=%u result=kept reason=\"host halts\"",
                 guest->domid);
        return;
    }
    snprintf(target, sizeof(target), "%u", guest->domid);
    retries_failed(&daemon->removals, target, now_ms);
}

void ephemeral_turn(struct daemon *daemon, uint64_t now_ms)
{
    size_t i;

    for (i = 0; i < daemon->removals.count; i++) {
        struct retry *removal = &daemon->removals.all[i];

        if (removal->at_ms > now_ms ||
            workers_is_at(&daemon->workers, WORKER_REMOVE, removal->target) ||
            !workers_has_room(&daemon->workers, WORKER_REMOVE))
            continue;
        if (workers_start(&daemon->workers, WORKER_REMOVE, removal->target,
                          now_ms) < 0)
            removal->at_ms = now_ms + SERVE_RETRY_MS;
    }
}

/*
 * Return when to look again; without a free place the end of the next worker is
 * the time.
 */
uint64_t ephemeral_wake_ms(const struct daemon *daemon)
{
    uint64_t wake_ms = SERVE_NEVER;
    size_t i;

    if (!workers_has_room(&daemon->workers, WORKER_REMOVE))
        return wake_ms;
    for (i = 0; i < daemon->removals.count; i++)
        if (!workers_is_at(&daemon->workers, WORKER_REMOVE,
                           daemon->removals.all[i].target))
            at_latest(&wake_ms, daemon->removals.all[i].at_ms);
    return wake_ms;
}

void ephemeral_ended(struct daemon *daemon, const char *target, int status,
                     uint64_t now_ms)
{
    if (status)
        retries_failed(
            &daemon->removals, target,
            now_ms + (work_was_busy(status) ? SERVE_BUSY_MS : SERVE_RETRY_MS));
    else
        retries_ended(&daemon->removals, target);
}

static bool is_restarting(const xenfork_ctx *ctx, const uint8_t clone[16])
{
    cleanup_free char *path = xenfork__restart_path(ctx, clone, NULL);

    return !path || access(path, F_OK) == 0;
}

/* Work under its lock.  BUSY: it is being made, or used. */
static int check_end(xenfork_ctx *ctx, const struct xenfork__record *clone,
                     uint32_t domid, bool *may_go_out)
{
    uint32_t other;
    int rc;

    *may_go_out = false;
    if (!xenfork__record_has_domid(ctx, clone, domid) || !clone->ephemeral ||
        (clone->left && clone->left[0]) || is_restarting(ctx, clone->uuid))
        return 0;
    if (xenfork__journal_exists(ctx, clone->journal))
        return XENFORK_E_BUSY;
    rc = xenfork__xen_by_uuid(ctx, clone->uuid, &other);
    *may_go_out = rc == XENFORK_E_NOTFOUND;
    return rc == XENFORK_E_NOTFOUND ? 0 : rc;
}

static int say_remedy(xenfork_ctx *ctx, const char *name)
{
    return xenfork__remedy(ctx,
                           "it is kept meanwhile; xl fork-destroy %s "
                           "removes it",
                           name);
}

static int remove_clone(xenfork_ctx *ctx, const uint8_t uuid[16],
                        uint32_t domid)
{
    cleanup_lock struct xenfork__lock *lock = NULL;
    cleanup_record struct xenfork__record *clone = NULL;
    char text[XENFORK__UUID_CHARS], quoted[LOG_QUOTED];
    bool may_go;
    int rc;

    xenfork__uuid_print(uuid, text);
    if ((rc = xenfork__lock_take(ctx, text, false, &lock)) < 0 ||
        (rc = xenfork__journals_recover_about(ctx, uuid)) < 0)
        return rc;
    rc = xenfork__record_load(ctx, XENFORK_KIND_CLONE, uuid, &clone);
    if (rc < 0)
        return rc == XENFORK_E_NOTFOUND ? 0 : rc;
    if ((rc = check_end(ctx, clone, domid, &may_go)) < 0 || !may_go ||
        (rc = xenfork__leave_check(ctx, clone, say_remedy)) < 0 ||
        (rc = xenfork__clone_remove(ctx, clone)) < 0)
        return rc;
    log_info("ephemeral", "domid=%u name=%s result=removed", domid,
             log_quote(clone->name, strlen(clone->name), quoted));
    return 0;
}

int ephemeral_remove(xenfork_ctx *ctx, uint32_t domid, const char *root)
{
    cleanup_records struct xenfork__records clones = {0};
    const struct xenfork__record *clone;
    int rc;

    if (halt_is_near(ctx, root)) {
        log_info("ephemeral", "domid=%u result=kept reason=\"host halts\"",
                 domid);
        return 0;
    }
    if ((rc = xenfork__records_load(ctx, XENFORK_KIND_CLONE, &clones)) < 0)
        return rc;
    clone = find_ephemeral(ctx, &clones, domid, XENFORK__EPHEMERAL_POWEROFF);
    if (!clone)
        return 0;
    rc = remove_clone(ctx, clone->uuid, domid);
    return rc < 0 ? rc : xenfork__clones_removed(ctx, clone->parent);
}

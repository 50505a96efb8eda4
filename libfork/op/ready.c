/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "op/ready.h"

#include <string.h>

#include "op/nic.h"
#include "state/journal.h"
#include "state/lock.h"

#define MAX_EVENTS 64U
#define LOOK_NS    UINT64_C(1000000000) /* between two looks at a noisy one */

static void end_wait(xenfork_ctx *ctx, struct xenfork__ready *ready,
                     struct xenfork__ready_clone *clone,
                     enum xenfork__ready_state state)
{
    if (clone->state != XENFORK__READY_WAITS)
        return;
    if (!clone->is_noisy)
        xenfork__xen_guest_unwatch(ctx, clone->domid);
    clone->state = state;
    ready->waiting--;
}

/* Listen no more to a guest that writes again and again. */
static void note_event(xenfork_ctx *ctx, struct xenfork__ready *ready,
                       struct xenfork__ready_clone *clone)
{
    if (clone->is_noisy || ++clone->events <= MAX_EVENTS)
        return;
    LOG_WARN(
        ctx,
        "domain %u keeps acknowledging a generation that is not its own: from "
        "now on it is looked at once a second",
        clone->domid);
    xenfork__xen_guest_unwatch(ctx, clone->domid);
    clone->is_noisy = true;
    ready->is_noisy = true;
}

int xenfork__ready_add(xenfork_ctx *ctx, struct xenfork__ready *ready,
                       const struct xenfork__record *clone)
{
    struct xenfork__ready_clone *clones = reallocarray(
        ready->clones, ready->count + 1, sizeof(*clones));
    int rc;

    if (!clones)
        return xenfork__nomem(ctx);
    ready->clones = clones;
    clones += ready->count;
    *clones = (struct xenfork__ready_clone){.domid = clone->domid};
    memcpy(clones->uuid, clone->uuid, sizeof(clones->uuid));
    memcpy(clones->generation, clone->generation, sizeof(clones->generation));
    clones->is_reseeded = clone->is_reseeded;
    if (clone->is_ready || !clone->generation[0]) {
        clones->state = clone->is_ready ? XENFORK__READY_DONE
                                        : XENFORK__READY_LOST;
        ready->count++;
        return 0;
    }
    rc = xenfork__xen_guest_watch(ctx, clone->domid);
    if (rc < 0)
        return rc;
    ready->count++;
    ready->waiting++;
    return 0;
}

int xenfork__ready_add_all(xenfork_ctx *ctx, struct xenfork__ready *ready,
                           const char *journal)
{
    cleanup_records struct xenfork__records clones = {0};
    int rc = xenfork__records_load(ctx, XENFORK_KIND_CLONE, &clones);
    size_t i;

    for (i = 0; i < clones.count && rc >= 0; i++)
        if (!strcmp(clones.records[i]->journal, journal))
            rc = xenfork__ready_add(ctx, ready, clones.records[i]);
    return rc;
}

/*
 * Connect a NIC; one that was detached by hand is nobody's concern any more,
 * nor is another that has its number by now.
 */
static int connect_nic(xenfork_ctx *ctx, uint32_t domid,
                       struct xenfork__record_nic *nic)
{
    cleanup_free int *devids = NULL;
    uint32_t count, i;
    int r, rc;

    if (xenfork__nic_is_replaced(ctx, domid, nic))
        return 0;
    rc = xenfork__nic_connect(ctx, domid, nic->devid);
    if (rc == 0)
        nic->link = XENFORK_LINK_CONNECT;
    if (rc != XENFORK_E_DEVICE)
        return rc;
    r = xenfork__xen_nic_ids(ctx, domid, &devids, &count);
    if (r < 0)
        return r;
    for (i = 0; i < count; i++)
        if (devids[i] == nic->devid)
            return rc;
    return 0;
}

/* Connect the NICs that the user has neither held nor connected meanwhile. */
static int connect(xenfork_ctx *ctx, struct xenfork__record *clone)
{
    uint32_t i;
    int rc = 0, r;

    for (i = 0; i < clone->nic_count; i++) {
        struct xenfork__record_nic *nic = &clone->nics[i];

        if (nic->link != XENFORK_LINK_AUTO)
            continue;
        r = connect_nic(ctx, clone->domid, nic);
        rc = rc < 0 ? rc : r;
    }
    return rc;
}

/*
 * Let a clone's held NICs drop what they were given before.  That takes as long
 * as the guest likes, up to seconds, so nobody is kept waiting by a lock.
 */
static int flush(xenfork_ctx *ctx, const uint8_t uuid[16], uint32_t domid)
{
    cleanup_record struct xenfork__record *record = NULL;
    int rc = xenfork__record_load(ctx, XENFORK_KIND_CLONE, uuid, &record);
    uint32_t i;

    if (rc < 0 || record->is_ready)
        return rc;
    for (i = 0; i < record->nic_count; i++)
        if (record->nics[i].link == XENFORK_LINK_AUTO)
            xenfork__nic_flush(ctx, domid, record->nics[i].devid);
    return 0;
}

/*
 * Accept an acknowledgement of the domain @domid; another process may be
 * faster, and what fails is repeated by the next one.  NOTFOUND: the clone is
 * gone, or is another domain by now
 */
static int accept_ack(xenfork_ctx *ctx, const uint8_t uuid[16], uint32_t domid,
                      bool is_reseeded)
{
    cleanup_lock struct xenfork__lock *lock = NULL;
    cleanup_record struct xenfork__record *record = NULL;
    int rc, r;

    if ((rc = flush(ctx, uuid, domid)) < 0 ||
        (rc = xenfork__lock_take(ctx, XENFORK__LOCK_REGISTRY, true, &lock)) <
            0 ||
        (rc = xenfork__record_load(ctx, XENFORK_KIND_CLONE, uuid, &record)) < 0)
        return rc;
    if (!xenfork__record_has_domid(ctx, record, domid))
        return xenfork__miss(ctx, XENFORK_E_NOTFOUND,
                             "%s is another domain by now", record->name);
    if (record->is_ready)
        return 0;
    rc = xenfork__xen_guest_remove_entropy(ctx, record->domid);
    r = connect(ctx, record);
    rc = rc < 0 ? rc : r;
    record->is_ready = rc == 0;
    record->is_reseeded |= is_reseeded;
    r = xenfork__record_save(ctx, record);
    return rc < 0 ? rc : r;
}

/* Tell whether it is still the domain that was made, and alive. */
static int is_alive(xenfork_ctx *ctx, const struct xenfork__ready_clone *clone,
                    bool *is_out)
{
    struct xenfork__dominfo info;
    int rc = xenfork__xen_info(ctx, clone->domid, &info);

    *is_out = rc == 0 && !info.is_dying && !info.is_shutdown &&
              !memcmp(info.uuid, clone->uuid, sizeof(info.uuid));
    return rc == XENFORK_E_NOTFOUND ? 0 : rc;
}

static int look_at_clone(xenfork_ctx *ctx, struct xenfork__ready *ready,
                         struct xenfork__ready_clone *clone)
{
    struct xenfork__answers answers = {0};
    bool alive = false;
    int rc;

    if ((rc = is_alive(ctx, clone, &alive)) < 0 ||
        (alive && (rc = xenfork__xen_guest_answers(
                       ctx, clone->domid, clone->generation, &answers)) < 0))
        return rc;
    clone->is_reseeded |= answers.has_reseeded;
    memcpy(clone->fault, answers.fault, sizeof(clone->fault));
    if (answers.has_acked) {
        rc = accept_ack(ctx, clone->uuid, clone->domid, answers.has_reseeded);
        end_wait(ctx, ready, clone,
                 rc == XENFORK_E_NOTFOUND ? XENFORK__READY_LOST
                                          : XENFORK__READY_DONE);
        return rc == XENFORK_E_NOTFOUND ? 0 : rc;
    }
    if (!alive)
        end_wait(ctx, ready, clone, XENFORK__READY_LOST);
    else
        note_event(ctx, ready, clone);
    return 0;
}

/* Look at one that waits, and note whether it has acknowledged. */
static int look(xenfork_ctx *ctx, struct xenfork__ready *ready,
                struct xenfork__ready_clone *clone,
                const struct xenfork__ready_clone **clone_out)
{
    int rc = look_at_clone(ctx, ready, clone);

    if (clone->state == XENFORK__READY_DONE)
        *clone_out = clone;
    return rc;
}

/* Look at those that nobody listens to, when it is time. */
static int look_at_noisy(xenfork_ctx *ctx, struct xenfork__ready *ready,
                         bool is_last,
                         const struct xenfork__ready_clone **clone_out)
{
    size_t i;
    int rc = 0;

    if (!ready->is_noisy || (xenfork__now_ns() < ready->look_ns && !is_last))
        return 0;
    for (i = 0; i < ready->count && rc == 0 && !*clone_out; i++)
        if (ready->clones[i].is_noisy &&
            ready->clones[i].state == XENFORK__READY_WAITS)
            rc = look(ctx, ready, &ready->clones[i], clone_out);
    if (!*clone_out)
        ready->look_ns = xenfork__now_ns() + LOOK_NS;
    return rc;
}

static int until_look_ms(const struct xenfork__ready *ready, int timeout_ms)
{
    uint64_t now_ns = xenfork__now_ns();
    int ms = now_ns < ready->look_ns
                 ? (int)((ready->look_ns - now_ns) / 1000000) + 1
                 : 0;

    return !ready->is_noisy || (timeout_ms >= 0 && timeout_ms < ms) ? timeout_ms
                                                                    : ms;
}

int xenfork__ready_turn(xenfork_ctx *ctx, struct xenfork__ready *ready,
                        int wake_fd, int timeout_ms,
                        const struct xenfork__ready_clone **clone_out)
{
    uint32_t domid = XENFORK_DOMID_NONE;
    size_t i;
    int rc = xenfork__xen_wait_event(ctx, wake_fd,
                                     until_look_ms(ready, timeout_ms), &domid);

    if (rc < 0)
        return rc;
    *clone_out = NULL;
    ready->is_released |= domid == XENFORK_DOMID_NONE;
    for (i = 0; i < ready->count; i++) {
        struct xenfork__ready_clone *clone = &ready->clones[i];

        if (clone->domid == domid && clone->state == XENFORK__READY_WAITS)
            return look(ctx, ready, clone, clone_out);
    }
    return look_at_noisy(ctx, ready, !timeout_ms, clone_out);
}

static int is_clone_due(xenfork_ctx *ctx, uint32_t domid, uint8_t uuid_out[16],
                        struct xenfork__answers *answers_out)
{
    cleanup_record struct xenfork__record *record = NULL;
    struct xenfork__dominfo info;
    int rc;

    *answers_out = (struct xenfork__answers){0};
    rc = xenfork__xen_info(ctx, domid, &info);
    if (rc == 0 && !info.is_dying && !info.is_shutdown)
        rc = xenfork__record_load(ctx, XENFORK_KIND_CLONE, info.uuid, &record);
    if (rc < 0 || !record)
        return rc == XENFORK_E_NOTFOUND ? 0 : rc;
    if (!xenfork__record_has_domid(ctx, record, domid) || record->is_ready ||
        !record->generation[0])
        return 0;
    if (xenfork__journal_exists(ctx, record->journal))
        return xenfork__miss(ctx, XENFORK_E_BUSY,
                             "the fork is still under way");
    memcpy(uuid_out, info.uuid, sizeof(info.uuid));
    return xenfork__xen_guest_answers(ctx, domid, record->generation,
                                      answers_out);
}

int xenfork__ready_is_due(xenfork_ctx *ctx, uint32_t domid, bool *is_out)
{
    struct xenfork__answers answers;
    uint8_t uuid[16];
    int rc = is_clone_due(ctx, domid, uuid, &answers);

    *is_out = answers.has_acked;
    return rc;
}

int xenfork__ready_accept(xenfork_ctx *ctx, uint32_t domid)
{
    struct xenfork__answers answers;
    uint8_t uuid[16];
    int rc = is_clone_due(ctx, domid, uuid, &answers);

    return rc < 0 || !answers.has_acked
               ? rc
               : accept_ack(ctx, uuid, domid, answers.has_reseeded);
}

int xenfork__ready_sweep(xenfork_ctx *ctx, struct xenfork__ready *ready)
{
    size_t i;
    int rc = 0;

    for (i = 0; i < ready->count && rc >= 0; i++) {
        struct xenfork__ready_clone *clone = &ready->clones[i];
        bool alive;

        if (clone->state != XENFORK__READY_WAITS)
            continue;
        rc = is_alive(ctx, clone, &alive);
        if (rc == 0 && !alive)
            end_wait(ctx, ready, clone, XENFORK__READY_LOST);
    }
    return rc;
}

void xenfork__ready_free(xenfork_ctx *ctx, struct xenfork__ready *ready)
{
    size_t i;

    for (i = 0; i < ready->count; i++)
        end_wait(ctx, ready, &ready->clones[i], XENFORK__READY_LOST);
    free(ready->clones);
    *ready = (struct xenfork__ready){0};
}

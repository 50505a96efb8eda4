/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Waiting until the clones of a fork are ready for work. */
#include "base/internal.h"

#include <string.h>

#include "op/ready.h"
#include "op/result.h"

static int add_clones(xenfork_ctx *ctx, const xenfork_result *result,
                      struct xenfork__ready *ready)
{
    uint32_t i;
    int rc = 0;

    for (i = 0; i < result->count && rc >= 0; i++) {
        const struct xenfork_clone *c = &result->clones[i];
        struct xenfork__record record = {.domid = c->domid,
                                         .is_ready = c->is_ready,
                                         .is_reseeded = c->is_reseeded};

        xenfork__uuid_parse(c->uuid, record.uuid);
        memcpy(record.generation, c->generation, sizeof(record.generation));
        rc = xenfork__ready_add(ctx, ready, &record);
    }
    return rc;
}

/* Read the state of the clone's NICs from its record. */
static int note_nics(xenfork_ctx *ctx, const uint8_t uuid[16],
                     struct xenfork_clone *c)
{
    cleanup_record struct xenfork__record *record = NULL;
    int rc = xenfork__record_load(ctx, XENFORK_KIND_CLONE, uuid, &record);
    uint32_t i;

    if (rc < 0)
        return rc == XENFORK_E_NOTFOUND ? 0 : rc;
    for (i = 0; i < c->nic_count && i < record->nic_count; i++) {
        c->nics[i].link = record->nics[i].link;
        c->nics[i].is_held = record->nics[i].link != XENFORK_LINK_CONNECT;
    }
    return 0;
}

static int note_ready(xenfork_ctx *ctx, struct xenfork_clone *c,
                      const struct xenfork__ready_clone *clone)
{
    c->is_ready = true;
    c->ns[XENFORK_STAGE_READY] = xenfork__now_ns() - c->start_ns;
    return note_nics(ctx, clone->uuid, c);
}

static int remaining_ms(uint64_t end_ns)
{
    uint64_t now_ns = xenfork__now_ns();

    return now_ns < end_ns ? (int)((end_ns - now_ns) / 1000000U) + 1 : 0;
}

/* Tell whether a clone has reported neither that it is ready nor an error. */
static bool has_open(const struct xenfork__ready *ready)
{
    size_t i;

    for (i = 0; i < ready->count; i++)
        if (ready->clones[i].state == XENFORK__READY_WAITS &&
            !ready->clones[i].fault[0])
            return true;
    return false;
}

/* Wait until all have answered; TIMEOUT and CANCELLED, not logged. */
static int wait_all(xenfork_ctx *ctx, xenfork_result *result,
                    struct xenfork__ready *ready, uint64_t end_ns)
{
    const struct xenfork__ready_clone *clone;
    int rc = 0, ms;

    while (has_open(ready) && rc >= 0) {
        ms = remaining_ms(end_ns);
        rc = xenfork__ready_turn(ctx, ready, -1, ms, &clone);
        if (rc == 0 && clone)
            rc = note_ready(ctx, &result->clones[clone - ready->clones], clone);
        else if (rc == 0 && ctx->is_cancelled)
            return xenfork__miss(ctx, XENFORK_E_CANCELLED, "cancelled");
        if (rc == 0 && ready->is_released) {
            ready->is_released = false;
            rc = xenfork__ready_sweep(ctx, ready);
        }
        if (rc == 0 && !clone && !ms)
            return xenfork__miss(ctx, XENFORK_E_TIMEOUT,
                                 "the time limit has passed");
    }
    return rc;
}

static void note_answers(const struct xenfork__ready *ready,
                         xenfork_result *result)
{
    size_t i;

    for (i = 0; i < ready->count; i++) {
        struct xenfork_clone *c = &result->clones[i];

        c->is_reseeded = ready->clones[i].is_reseeded;
        memcpy(c->fault, ready->clones[i].fault, sizeof(c->fault));
    }
}

/* Return the first clone that has reported an error; NULL: none. */
static const struct xenfork_clone *find_fault(const xenfork_result *result)
{
    uint32_t i;

    for (i = 0; i < result->count; i++)
        if (result->clones[i].fault[0])
            return &result->clones[i];
    return NULL;
}

static int not_adapted(xenfork_ctx *ctx, const struct xenfork_clone *c)
{
    xenfork__fail(ctx, XENFORK_E_NOTADAPTED, 0,
                  "clone %s could not adapt to the fork: %s", c->name,
                  c->fault);
    return xenfork__remedy(ctx,
                           "mend it in the guest and run xenfork-agent adapt "
                           "there, or: xl fork-net %s connect",
                           c->name);
}

static int verdict(xenfork_ctx *ctx, const xenfork_result *result,
                   uint32_t timeout_ms, int rc)
{
    const char *first = NULL;
    uint32_t i, missing = 0;

    if (rc < 0 && rc != XENFORK_E_TIMEOUT && rc != XENFORK_E_CANCELLED)
        return rc;
    for (i = 0; i < result->count; i++) {
        if (result->clones[i].is_ready)
            continue;
        missing++;
        first = first ? first : result->clones[i].name;
    }
    if (!missing)
        return 0;
    if (rc == XENFORK_E_CANCELLED)
        return xenfork__fail(ctx, rc, 0,
                             "cancelled while %u of %u clones had not "
                             "acknowledged, %s among them",
                             missing, result->count, first);
    if (find_fault(result))
        return not_adapted(ctx, find_fault(result));
    xenfork__fail(ctx, XENFORK_E_TIMEOUT, 0,
                  "%u of %u clones did not acknowledge within %u ms, %s among "
                  "them",
                  missing, result->count, timeout_ms, first);
    return xenfork__remedy(ctx,
                           "is xenfork-agent in the guest?  Without it: "
                           "xl fork-net %s connect",
                           first);
}

XENFORK_API int xenfork_wait_ready(xenfork_ctx *ctx, xenfork_result *result,
                                   uint32_t timeout_ms)
{
    uint64_t end_ns = xenfork__now_ns() + timeout_ms * 1000000ULL;
    struct xenfork__ready ready = {0};
    int rc;

    xenfork__begin(ctx, XENFORK_DOMID_NONE);
    if (!result || timeout_ms < 1 || timeout_ms > XENFORK__MAX_TIMEOUT_MS)
        return xenfork__fail(ctx, XENFORK_E_INVAL, 0,
                             "no result, or a timeout out of range");
    ctx->stage = XENFORK_STAGE_READY;
    rc = add_clones(ctx, result, &ready);
    if (rc == 0)
        rc = wait_all(ctx, result, &ready, end_ns);
    note_answers(&ready, result);
    xenfork__ready_free(ctx, &ready);
    return verdict(ctx, result, timeout_ms, rc);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "look.h"

#include "state.h"

#define STATE_LOOKS 60U /* so often, one delay after the other */

struct look {
    struct daemon *daemon;
    int kind;
    uint64_t now_ms;
    bool is_partial;   /* something was left for later */
    bool is_unwritten; /* a record is still to come */
};

static void start_found(void *opaque, const char *uuid)
{
    struct look *look = opaque;
    struct workers *workers = &look->daemon->workers;

    /* Without room: the end of the next worker is the time to look again. */
    if (workers_has_room(workers, look->kind) &&
        !workers_is_at(workers, look->kind, uuid) &&
        workers_start(workers, look->kind, uuid, look->now_ms) < 0)
        look->is_partial = true;
}

/*
 * Tell whether a restart may begin.  One that failed before waits for its time,
 * and for half of the places: restarts that take long to fail cannot take all.
 */
static bool may_restart(struct daemon *daemon, const char *uuid,
                        uint64_t now_ms)
{
    struct retry *retry = retries_find(&daemon->restarts, uuid);
    uint32_t busy = 0;
    size_t i;

    if (!retry)
        return true;
    retry->is_seen = true;
    if (retry->at_ms > now_ms) {
        at_latest(&daemon->state_ms, retry->at_ms);
        return false;
    }
    for (i = 0; i < daemon->restarts.count; i++)
        busy += workers_is_at(&daemon->workers, WORKER_RESTART,
                              daemon->restarts.all[i].target);
    return busy < (daemon->config.policy_workers + 1) / 2;
}

static void start_restart(void *opaque, const char *uuid)
{
    struct look *look = opaque;

    if (may_restart(look->daemon, uuid, look->now_ms))
        start_found(look, uuid);
}

static void note_state(struct look *look, int rc)
{
    look->is_partial |= rc < 0;
    look->is_unwritten |= rc == STATE_UNWRITTEN;
}

/*
 * Look for directories without records: a fork writes them when the disk lets
 * it; one that died never does.
 */
static void look_for_unwritten(struct daemon *daemon, const struct look *look)
{
    if (look->is_unwritten && daemon->state_looks++ < STATE_LOOKS)
        at_latest(&daemon->state_ms, look->now_ms + SERVE_STATE_DELAY_MS);
}

void look_at_state(struct daemon *daemon, uint64_t now_ms)
{
    struct look look = {
        .daemon = daemon, .kind = WORKER_RESTART, .now_ms = now_ms};
    int rc;

    daemon->state_ms = SERVE_NEVER;
    retries_begin_look(&daemon->restarts);
    rc = state_restarts(daemon->ctx, start_restart, &look);
    if (rc == 0)
        retries_end_look(&daemon->restarts);
    note_state(&look, rc);
    look.kind = WORKER_HYDRATE;
    note_state(&look, state_hydrations(daemon->ctx, start_found, &look));
    look.kind = WORKER_ATTEND;
    note_state(&look, state_frozen(daemon->ctx, start_found, &look));
    if (look.is_partial)
        at_latest(&daemon->state_ms, now_ms + SERVE_RETRY_MS);
    look_for_unwritten(daemon, &look);
}

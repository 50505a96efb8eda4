/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "worker-pool.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"

static const char *const names[WORKER_KINDS] = {
    [WORKER_FREEZE] = "freeze",   [WORKER_POLICY] = "policy",
    [WORKER_RESTART] = "restart", [WORKER_HYDRATE] = "hydrate",
    [WORKER_RECOVER] = "recover", [WORKER_ACK] = "ack",
    [WORKER_ATTEND] = "attend",   [WORKER_REMOVE] = "remove",
};

const char *worker_kind_name(int kind)
{
    return names[kind];
}

bool worker_kind_parse(const char *name, int *kind_out)
{
    int kind;

    for (kind = 0; kind < WORKER_KINDS; kind++) {
        if (!strcmp(names[kind], name)) {
            *kind_out = kind;
            return true;
        }
    }
    return false;
}

bool workers_init(struct workers *workers, worker_spawn_fn *spawn, void *opaque)
{
    *workers = (struct workers){.spawn = spawn, .opaque = opaque};
    workers->all = calloc(1, sizeof(struct worker));
    workers->room = workers->all != NULL;
    return workers->all;
}

void workers_free(struct workers *workers)
{
    free(workers->all);
    workers->all = NULL;
    workers->room = 0;
}

/*
 * Make room for as many workers as there may be at once, with those that began
 * under a higher limit.  Without memory some find no place, and come again.
 */
static void make_places(struct workers *workers)
{
    struct worker *all;
    size_t room = 0;
    int kind;

    for (kind = 0; kind < WORKER_KINDS; kind++)
        room += workers->peaks[kind];
    if (room <= workers->room)
        return;
    all = reallocarray(workers->all, room, sizeof(*all));
    if (!all)
        return;
    memset(all + workers->room, 0, (room - workers->room) * sizeof(*all));
    workers->all = all;
    workers->room = room;
}

void workers_limit(struct workers *workers, int kind, uint32_t count,
                   uint64_t limit_ms)
{
    workers->limits[kind] = count;
    workers->limits_ms[kind] = limit_ms;
    if (workers->peaks[kind] < count)
        workers->peaks[kind] = count;
    make_places(workers);
}

uint32_t workers_count(const struct workers *workers, int kind)
{
    uint32_t count = 0;
    size_t i;

    for (i = 0; i < workers->room; i++)
        count += workers->all[i].pid && workers->all[i].kind == kind;
    return count;
}

uint32_t workers_total(const struct workers *workers)
{
    uint32_t count = 0;
    size_t i;

    for (i = 0; i < workers->room; i++)
        count += workers->all[i].pid != 0;
    return count;
}

bool workers_has_room(const struct workers *workers, int kind)
{
    return workers_count(workers, kind) < workers->limits[kind];
}

bool workers_is_at(const struct workers *workers, int kind, const char *target)
{
    size_t i;

    for (i = 0; i < workers->room; i++)
        if (workers->all[i].pid && workers->all[i].kind == kind &&
            !strcmp(workers->all[i].target, target))
            return true;
    return false;
}

static struct worker *free_place(struct workers *workers)
{
    size_t i;

    for (i = 0; i < workers->room; i++)
        if (!workers->all[i].pid)
            return &workers->all[i];
    return NULL;
}

int workers_start(struct workers *workers, int kind, const char *target,
                  uint64_t now_ms)
{
    struct worker *worker = free_place(workers);
    uint64_t limit_ms = workers->limits_ms[kind];
    pid_t pid;

    if (!worker || !workers_has_room(workers, kind))
        return -EAGAIN;
    pid = workers->spawn(workers->opaque, kind, target);
    if (pid < 0) {
        log_error("worker", "kind=%s target=%s result=failed errno=%d",
                  names[kind], target, (int)-pid);
        return (int)pid;
    }
    *worker = (struct worker){
        .pid = pid,
        .kind = kind,
        .started_ms = now_ms,
        .end_ms = limit_ms ? now_ms + limit_ms : WORKER_NO_END,
    };
    snprintf(worker->target, sizeof(worker->target), "%s", target);
    log_debug("worker", "kind=%s target=%s pid=%d", names[kind], target,
              (int)pid);
    return 0;
}

int workers_start_domain(struct workers *workers, int kind, uint32_t domid,
                         uint64_t now_ms)
{
    char target[WORKER_TARGET_BYTES];

    snprintf(target, sizeof(target), "%u", domid);
    return workers_start(workers, kind, target, now_ms);
}

bool workers_ended(struct workers *workers, pid_t pid,
                   struct worker *worker_out)
{
    size_t i;

    for (i = 0; i < workers->room; i++) {
        if (workers->all[i].pid != pid)
            continue;
        *worker_out = workers->all[i];
        workers->all[i].pid = 0;
        return true;
    }
    return false;
}

void workers_end(struct workers *workers, int kind)
{
    size_t i;

    for (i = 0; i < workers->room; i++)
        if (workers->all[i].pid && workers->all[i].kind == kind)
            kill(workers->all[i].pid, SIGTERM);
}

void workers_expire(struct workers *workers, uint64_t now_ms)
{
    size_t i;

    for (i = 0; i < workers->room; i++) {
        struct worker *worker = &workers->all[i];

        if (!worker->pid || worker->is_killed || !worker->end_ms ||
            worker->end_ms > now_ms)
            continue;
        log_error("worker", "kind=%s target=%s pid=%d result=killed",
                  names[worker->kind], worker->target, (int)worker->pid);
        kill(worker->pid, SIGKILL);
        worker->is_killed = true;
    }
}

uint64_t workers_wake_ms(const struct workers *workers)
{
    uint64_t wake_ms = UINT64_MAX;
    size_t i;

    for (i = 0; i < workers->room; i++) {
        const struct worker *worker = &workers->all[i];

        if (worker->pid && !worker->is_killed && worker->end_ms &&
            worker->end_ms < wake_ms)
            wake_ms = worker->end_ms;
    }
    return wake_ms;
}

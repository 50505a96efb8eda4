/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Processes that do what may block: so many of a kind at a time, each with
 * its end.  One outlives the daemon if it must, and finishes what it began.
 */
#ifndef DAEMON_WORKER_POOL_H
#define DAEMON_WORKER_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define WORKER_FREEZE  0 /* of a domain, asked for by its guest */
#define WORKER_POLICY  1 /* of a domain that has shut down */
#define WORKER_RESTART 2 /* that another worker began */
#define WORKER_HYDRATE 3 /* the clones of a fork whose keeper has gone */
#define WORKER_RECOVER 4 /* xenfork_recover() */
#define WORKER_ACK     5 /* of a clone whose keeper has gone */
#define WORKER_ATTEND  6 /* for a frozen source whose keeper has gone */
#define WORKER_REMOVE  7 /* an ephemeral clone that has ended */
#define WORKER_KINDS   8

#define WORKER_OPERANDS     3   /* TARGET LEVEL VALUE */
#define WORKER_TARGET_BYTES 40U /* a domid, or a UUID */
#define WORKER_NO_END       0U

const char *worker_kind_name(int kind);
bool worker_kind_parse(const char *name, int *kind_out);

struct worker {
    pid_t pid; /* 0: a free place */
    int kind;
    char target[WORKER_TARGET_BYTES];
    uint64_t started_ms;
    uint64_t end_ms; /* killed then; WORKER_NO_END: never */
    bool is_killed;
};

/* Start a process; negative: -errno. */
typedef pid_t worker_spawn_fn(void *opaque, int kind, const char *target);

struct workers {
    struct worker *all;
    size_t room;
    uint32_t limits[WORKER_KINDS]; /* so many at a time */
    uint32_t peaks[WORKER_KINDS];  /* the highest that they have been */
    uint64_t limits_ms[WORKER_KINDS];
    worker_spawn_fn *spawn;
    void *opaque;
};

bool workers_init(struct workers *workers, worker_spawn_fn *spawn,
                  void *opaque);
void workers_free(struct workers *workers);
void workers_limit(struct workers *workers, int kind, uint32_t count,
                   uint64_t limit_ms);
uint32_t workers_count(const struct workers *workers, int kind);
uint32_t workers_total(const struct workers *workers);
bool workers_has_room(const struct workers *workers, int kind);
/* Tell whether a worker has this job already. */
bool workers_is_at(const struct workers *workers, int kind, const char *target);
/* Start a worker.  0, or -errno; EAGAIN: no room. */
int workers_start(struct workers *workers, int kind, const char *target,
                  uint64_t now_ms);
int workers_start_domain(struct workers *workers, int kind, uint32_t domid,
                         uint64_t now_ms);
/* Take the worker that was this process off the list; false: none was. */
bool workers_ended(struct workers *workers, pid_t pid,
                   struct worker *worker_out);
/* End workers that have no end of their own, and may be stopped at any time. */
void workers_end(struct workers *workers, int kind);
/* Kill those whose time is over. */
void workers_expire(struct workers *workers, uint64_t now_ms);
/* Return when workers_expire() has something to do; UINT64_MAX: never. */
uint64_t workers_wake_ms(const struct workers *workers);

#endif

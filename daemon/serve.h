/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Decide what the daemon does about events: which worker starts, and when.
 * Nothing here blocks, except for one small operation at a time on xenstore or
 * a record.
 */
#ifndef DAEMON_SERVE_H
#define DAEMON_SERVE_H

#include "base/ids.h"
#include "conf.h"
#include "guests.h"
#include "retry.h"
#include "worker-pool.h"
#include "xen/events.h"

#define SERVE_NEVER          UINT64_MAX
#define SERVE_STATE_DELAY_MS 1000U  /* a record follows its directory */
#define SERVE_RETRY_MS       60000U /* after a worker failed */
#define SERVE_LOOK_AGAIN_MS  1000U  /* after Xen or xenstore did not answer */
#define SERVE_BUSY_MS        2000U  /* another operation is on its domain */

/* Lower a time to that one. */
static inline void at_latest(uint64_t *when_ms, uint64_t ms)
{
    if (*when_ms > ms)
        *when_ms = ms;
}

/* Domains that may find no memory: see listen.h. */
struct listen {
    struct xenfork__host_rings *rings; /* NULL: none */
    uint64_t look_ms;         /* when to look for more domains */
    uint64_t looked_ms;
    uint64_t again_ms; /* when those that wait may try again */
    uint64_t pause_ms; /* before that */
};

struct daemon {
    xenfork_ctx *ctx;
    struct config config;
    struct guests guests;
    struct workers workers;
    bool is_ending;       /* nothing new is begun */
    uint64_t domains_ms;  /* when to look which domains there are */
    uint64_t recover_ms;  /* when to look after what others left */
    uint64_t state_ms;    /* when to look into the state directory */
    uint32_t state_looks; /* for records that are still to come */
    struct retries restarts;
    struct retries removals; /* of ephemeral clones, by the domid they had */
    uint64_t halt_ms;        /* the host goes down, until then */
    struct listen listen;
    uint64_t memory_ms;      /* when to look at the host's memory */
    bool is_trimmed;         /* what can be is, since it is low */
    uint64_t trim_ms;        /* guests may give memory back, until then */
    const char *root;        /* "", but in tests */
};

/* Initialise the daemon.  False: out of memory. */
bool serve_init(struct daemon *daemon, xenfork_ctx *ctx,
                const struct config *config, worker_spawn_fn *spawn,
                void *opaque, uint64_t now_ms);
void serve_free(struct daemon *daemon);
/* Use another configuration from now on. */
void serve_configure(struct daemon *daemon, const struct config *config);

/* Remember an event, without acting upon it. */
void serve_event(struct daemon *daemon, uint32_t events, uint32_t domid,
                 uint64_t now_ms);
void serve_state_changed(struct daemon *daemon, uint64_t now_ms);
/* Note that a child has ended; status as of waitpid(2). */
void serve_ended(struct daemon *daemon, pid_t pid, int status, uint64_t now_ms);
/* Do what is to be done. */
void serve_turn(struct daemon *daemon, uint64_t now_ms);
/* Return when the next turn is needed without an event. */
uint64_t serve_wake_ms(const struct daemon *daemon, uint64_t now_ms);

#endif

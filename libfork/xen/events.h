/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The daemon's interface to Xen, beyond that of the library (xen.h).
 * Implemented by xen/events.c and xen/lifecycle.c, with which only xenforkd is
 * linked, and by tests/unit/lib/fake-host.c.
 *
 * Functions return 0 or a negative XENFORK_E_*, as those of the library do,
 * and have made the error in the context.
 */
#ifndef LIBFORK_XEN_EVENTS_H
#define LIBFORK_XEN_EVENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/internal.h"
#include "xen/xen.h"

/* Events: never blocks, never takes more of a guest than told. */
#define XENFORK__EVENT_NONE 0U
#define XENFORK__EVENT_DOMAINS                    \
    (1U << 0) /* a domain came, went or shut down \
               */
#define XENFORK__EVENT_REQUEST \
    (1U << 1)                          /* a guest may have asked to be frozen */
#define XENFORK__EVENT_ACK   (1U << 2) /* a guest may have acknowledged */
#define XENFORK__EVENT_OTHER (1U << 3)
#define XENFORK__EVENT_ASKED \
    (1U << 4) /* a guest may have been asked to suspend */

/* Return the descriptor to poll for input; negative: no connection. */
int xenfork__host_fd(xenfork_ctx *ctx);
int xenfork__host_watch(xenfork_ctx *ctx);
int xenfork__host_watch_guest(xenfork_ctx *ctx, uint32_t domid);
void xenfork__host_unwatch_guest(xenfork_ctx *ctx, uint32_t domid);
/*
 * Return the next event that has come; XENFORK__EVENT_*, several at once.  XEN:
 * the connection broke
 */
int xenfork__host_event(xenfork_ctx *ctx, uint32_t *events_out,
                        uint32_t *domid_out);

struct xenfork__host_domain {
    uint32_t domid;
    bool is_shutdown;
    int reason; /* XENFORK__SHUTDOWN_*; valid if is_shutdown */
};
/* List every domain but ours and dying ones; caller frees. */
int xenfork__host_domains(xenfork_ctx *ctx,
                          struct xenfork__host_domain **domains_out,
                          size_t *count_out);

/*
 * Read data/fork/freeze of a guest: at most value_bytes - 1 bytes of it, with a
 * NUL after them.  bytes_out: its length; 0 also when there is no such key.
 */
int xenfork__host_request(xenfork_ctx *ctx, uint32_t domid, char *value_out,
                          size_t value_bytes, size_t *bytes_out);
/*
 * Return what control/shutdown asks of a guest: nothing, or to end; perhaps
 * something, which the guest has acknowledged; to suspend.  Or there is no such
 * key, yet.
 */
#define XENFORK__ASKED_NOTHING 0
#define XENFORK__ASKED         1
#define XENFORK__ASKED_SUSPEND 2
#define XENFORK__ASKED_NO_KEY  3
int xenfork__host_asked(xenfork_ctx *ctx, uint32_t domid, int *asked_out);
/* Remove fork/error: a new attempt begins. */
int xenfork__host_forget_error(xenfork_ctx *ctx, uint32_t domid);

/*
 * Domains that find no memory: xen/enomem.c.  A domain with a ring waits; one
 * without is crashed by Xen.
 */
struct xenfork__host_rings;
int xenfork__host_rings_open(xenfork_ctx *ctx,
                             struct xenfork__host_rings **rings_out);
/* Close what is ours; the rings stay, and a domain that finds no memory waits.
 */
void xenfork__host_rings_close(struct xenfork__host_rings *rings);
/* Return the descriptor to poll for input, which does not block; -1: none */
int xenfork__host_rings_fd(const struct xenfork__host_rings *rings);
/*
 * Give a domain a ring, in place of one that it may have.  Until it is answered,
 * all its vCPUs count as waiting.  HOSTMEM: not even for that there is memory
 */
int xenfork__host_ring_add(xenfork_ctx *ctx, struct xenfork__host_rings *rings,
                           uint32_t domid);
/* Forget a domain, which is gone. */
void xenfork__host_ring_forget(struct xenfork__host_rings *rings,
                               uint32_t domid);
/* Tell whether we listen to the domain; and whether anybody ever has. */
bool xenfork__host_ring_has(const struct xenfork__host_rings *rings,
                            uint32_t domid);
bool xenfork__host_ring_was(xenfork_ctx *ctx, uint32_t domid);
#define XENFORK__RING_NONE  0 /* no event */
#define XENFORK__RING_WAITS 1 /* a domain found no memory */
#define XENFORK__RING_LOW   2 /* the host has little memory left */
int xenfork__host_rings_event(struct xenfork__host_rings *rings,
                              uint32_t *domid_out);
/* Tell whether a vCPU of the domain waits. */
bool xenfork__host_ring_waits(const struct xenfork__host_rings *rings,
                              uint32_t domid);
/* Have the vCPUs that wait try again. */
int xenfork__host_ring_answer(xenfork_ctx *ctx,
                              struct xenfork__host_rings *rings,
                              uint32_t domid);

/* Actions that a domain's configuration demands: libxl_action_on_shutdown. */
#define XENFORK__ACTION_DESTROY          1
#define XENFORK__ACTION_RESTART          2
#define XENFORK__ACTION_RENAME           3
#define XENFORK__ACTION_PRESERVE         4
#define XENFORK__ACTION_COREDUMP_DESTROY 5
#define XENFORK__ACTION_COREDUMP_RESTART 6
#define XENFORK__ACTION_SOFT_RESET       7

struct xenfork__host_config {
    char *name;
    char *json; /* libxl's, opaque */
    int actions[XENFORK__SHUTDOWNS];
    uint32_t nic_count;
    int *nics; /* their devids */
};
int xenfork__host_config_get(xenfork_ctx *ctx, uint32_t domid,
                             struct xenfork__host_config **config_out);
void xenfork__host_config_free(struct xenfork__host_config *config);

/*
 * Tell whether `xl create` of this Xen goes on watching a domain that suspends.
 */
int xenfork__host_watcher_survives(xenfork_ctx *ctx, bool *survives_out);
/* Tell whether another toolstack (libvirt) owns the domain. */
int xenfork__host_is_foreign(xenfork_ctx *ctx, uint32_t domid, bool *is_out);
/*
 * Tell whether the library has ever suspended the domain, and xl watched it
 * before.
 */
int xenfork__host_was_suspended(xenfork_ctx *ctx, uint32_t domid,
                                bool *was_out);
/*
 * /libxl/D/xenforkd: "watch": xenforkd is its watcher; "keep": preserved,
 * nobody is.  It goes with the domain.  "" when there is none.
 */
#define XENFORK__XENFORKD_WATCH "watch"
#define XENFORK__XENFORKD_KEEP  "keep"
int xenfork__host_mark(xenfork_ctx *ctx, uint32_t domid, char mark_out[16]);
int xenfork__host_set_mark(xenfork_ctx *ctx, uint32_t domid, const char *mark);

int xenfork__host_soft_reset(xenfork_ctx *ctx, const char *json,
                             uint32_t domid);
int xenfork__host_core_dump(xenfork_ctx *ctx, uint32_t domid, const char *name);
/*
 * Give a domain another name (with the suffix) and another UUID, unless it has
 * them.
 */
int xenfork__host_preserve(xenfork_ctx *ctx, uint32_t domid, const char *json,
                           const char *suffix);

#endif

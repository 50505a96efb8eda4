/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Clones that were made to be removed at their end.  How a domain ended is
 * seen here, of what is known of its last moments; in doubt a clone is kept.
 */
#ifndef DAEMON_EPHEMERAL_H
#define DAEMON_EPHEMERAL_H

#include "serve.h"

/* Note what a new guest was asked before it is watched. */
void ephemeral_met(struct daemon *daemon, struct guest *guest, uint64_t now_ms);
/*
 * Note that the guest may have been asked to suspend: it may leave this host.
 */
void ephemeral_asked(struct daemon *daemon, struct guest *guest,
                     uint64_t now_ms);
/* Note the state of a guest that is in the list of domains. */
void ephemeral_seen(struct daemon *daemon, struct guest *guest,
                    const struct xenfork__host_domain *domain, uint64_t now_ms);
/*
 * Note, when its domain is gone, whether it is a clone that is to be removed.
 */
void ephemeral_gone(struct daemon *daemon, const struct guest *guest,
                    uint64_t now_ms);
/* Begin what is to be removed; and when there is more to begin. */
void ephemeral_turn(struct daemon *daemon, uint64_t now_ms);
uint64_t ephemeral_wake_ms(const struct daemon *daemon);
void ephemeral_ended(struct daemon *daemon, const char *target, int status,
                     uint64_t now_ms);

/* Remove, in a worker, the clone that had this domid, unless it lives on. */
int ephemeral_remove(xenfork_ctx *ctx, uint32_t domid, const char *root);

#endif

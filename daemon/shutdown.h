/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Domains that have shut down: a worker applies the policy of each
 * (policy.h), again and again until it reports that everything is done.
 */
#ifndef DAEMON_SHUTDOWN_H
#define DAEMON_SHUTDOWN_H

#include "serve.h"

/* Note the state of a guest in the list of domains: one that runs begins anew.
 */
void shutdown_seen(struct guest *guest);
/* Start a worker, if the guest has shut down and it is time to. */
void shutdown_look(struct daemon *daemon, struct guest *guest, uint64_t now_ms);
/* Note the end of the worker; status as of waitpid(2). */
void shutdown_ended(struct guest *guest, int status, uint64_t now_ms);
/* Return when shutdown_look() has something to do. */
uint64_t shutdown_wake_ms(const struct daemon *daemon, uint64_t now_ms);

#endif

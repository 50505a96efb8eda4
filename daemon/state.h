/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Find work for the daemon in the state directory. */
#ifndef DAEMON_STATE_H
#define DAEMON_STATE_H

#include "base/ids.h"
#include "base/internal.h"

/* Hear of the UUID that names a thing to do. */
typedef void state_found_fn(void *opaque, const char *uuid);

/* Find restarts that were begun; by UUID of the domain. */
int state_restarts(xenfork_ctx *ctx, state_found_fn *found, void *opaque);
/*
 * These functions return STATE_UNWRITTEN when directories have no records yet:
 * the event came before the record.
 */
#define STATE_UNWRITTEN 1
/* Find forks with clones that want hydration; by the fork's UUID, each once. */
int state_hydrations(xenfork_ctx *ctx, state_found_fn *found, void *opaque);
/* Find frozen sources; by the freeze's UUID. */
int state_frozen(xenfork_ctx *ctx, state_found_fn *found, void *opaque);
/*
 * Return an inotify descriptor that becomes readable when clones are made, or
 * sources frozen; negative: none; then this is noticed with the next domain
 * event.
 */
int state_watch(xenfork_ctx *ctx);

#endif

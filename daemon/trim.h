/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * When the host's memory is low, first have back what nobody misses: images
 * that nobody needs, and what guests can spare, where memory_balloon allows it.
 */
#ifndef DAEMON_TRIM_H
#define DAEMON_TRIM_H

#include "serve.h"

/* Take over what the last daemon has asked a domain.  False: not yet. */
bool trim_meet(struct daemon *daemon, struct guest *guest);
/* Begin, once while memory is low. */
void trim_begin(struct daemon *daemon, uint64_t now_ms);
/* Tell whether memory may come back without a clone being paused. */
bool trim_is_waiting(const struct daemon *daemon, uint64_t now_ms);
/*
 * Let the next guest have its memory again, if no less than @ok of the @free
 * pages stay; one at a time, and not before the last one has had time to take
 * it.  False: there is nothing to be done.
 */
bool trim_undo(struct daemon *daemon, uint64_t free, uint64_t ok,
               uint64_t now_ms);
bool trim_has_asked(const struct daemon *daemon);

#endif

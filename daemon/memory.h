/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Watch the host's free memory.  While there is little, clones are paused, one
 * after the other: those first that still depend on their image, then those of
 * low priority.  When there is enough again they go on, in reverse order.
 * Sources, and domains that are no clones, are never paused.
 */
#ifndef DAEMON_MEMORY_H
#define DAEMON_MEMORY_H

#include "serve.h"
#include "xen/xen.h"

/* Take over what the last daemon has done to a domain.  False: not yet. */
bool memory_meet(struct daemon *daemon, struct guest *guest);
/* Look at once: memory may have become scarce. */
void memory_expect(struct daemon *daemon, uint64_t now_ms);
void memory_turn(struct daemon *daemon, uint64_t now_ms);

#endif

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A clone that was held when it was saved is held when it is restored: its
 * scripts connect it, and it runs when they are done.
 */
#ifndef DAEMON_HOLD_H
#define DAEMON_HOLD_H

#include "serve.h"

/* Expect NICs of a new domain that have to be held. */
void hold_expect(struct guest *guest, uint64_t now_ms);
void hold_look(struct daemon *daemon, struct guest *guest, uint64_t now_ms);
uint64_t hold_wake_ms(const struct guests *guests);

#endif

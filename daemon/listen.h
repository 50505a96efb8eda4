/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Listen to clones, and to sources with images, that find no memory: Xen would
 * crash them.  They wait instead, and go on when memory is back.
 */
#ifndef DAEMON_LISTEN_H
#define DAEMON_LISTEN_H

#include "serve.h"

/* Listen from now on, as far as Xen lets us. */
void listen_begin(struct daemon *daemon);
void listen_end(struct daemon *daemon);
/* Expect domains to which we do not listen yet. */
void listen_expect(struct daemon *daemon, uint64_t now_ms);
/* Take what Xen says; never blocks. */
void listen_take(struct daemon *daemon, uint64_t now_ms);
/* Do what is due, and let the guard of the host's memory do so: memory.h. */
void listen_turn(struct daemon *daemon, uint64_t now_ms);
/* Forget a domain that is gone. */
void listen_gone(struct daemon *daemon, uint32_t domid);
uint64_t listen_wake_ms(const struct daemon *daemon);

#endif

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Connect clones that acknowledge and whose keeper was killed.  Otherwise the
 * keeper, or xl fork --wait, does this.  It is idempotent.
 */
#ifndef DAEMON_ACK_H
#define DAEMON_ACK_H

#include "serve.h"

/*
 * Note that the guest may have acknowledged: look at it after the time that the
 * keeper needs.
 */
void ack_expect(struct guest *guest, uint64_t now_ms);
/* Look, if it is time to, and start a worker, if there is something to do. */
void ack_look(struct daemon *daemon, struct guest *guest, uint64_t now_ms);
/* Note that the worker has ended. */
void ack_ended(struct guest *guest, int status, uint64_t now_ms);
/* Return when ack_look() has something to look at. */
uint64_t ack_wake_ms(const struct guests *guests);

#endif

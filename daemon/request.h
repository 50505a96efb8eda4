/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Freezes that guests ask for.  A guest that writes too often is not watched
 * for a while.
 */
#ifndef DAEMON_REQUEST_H
#define DAEMON_REQUEST_H

#include "serve.h"

/* Look at the guests that ask, in turn, and start a worker for each request. */
void request_turn(struct daemon *daemon, uint64_t now_ms);
/* Note the end of a freeze; status as of waitpid(2). */
void request_ended(struct daemon *daemon, struct guest *guest,
                   const struct worker *worker, int status, uint64_t now_ms);
/*
 * Watch a muted guest again, when its time has come: the new watch reports at
 * once what it has written meanwhile.
 */
void request_unmute(struct daemon *daemon, struct guest *guest,
                    uint64_t now_ms);
/* Return when request_turn() or request_unmute() has something to do. */
uint64_t request_wake_ms(const struct daemon *daemon, uint64_t now_ms);

#endif

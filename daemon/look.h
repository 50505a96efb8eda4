/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A look into the state directory: what there is to do, and who may begin. */
#ifndef DAEMON_LOOK_H
#define DAEMON_LOOK_H

#include "serve.h"

void look_at_state(struct daemon *daemon, uint64_t now_ms);

#endif

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LIBFORK_OP_ATTEND_H
#define LIBFORK_OP_ATTEND_H

#include <stdbool.h>

#include "base/internal.h"

/*
 * Attend to the source that this freeze froze, until it is frozen no more: to
 * xl shutdown, save or migrate, which it cannot answer itself.  One process
 * does it at a time: the freeze's keeper, or xenforkd, if the keeper was
 * killed.  BUSY (not logged): another does, and we do not wait.
 */
int xenfork__attend(xenfork_ctx *ctx, const char *journal, bool is_waiting);

#endif

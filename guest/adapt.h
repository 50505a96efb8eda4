/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef GUEST_ADAPT_H
#define GUEST_ADAPT_H

#include <stdbool.h>

#include "agent.h"
#include "store.h"

#define ADAPT_AGAIN 1 /* also if it has failed before */

/*
 * Adapt a clone, once for each generation, in the first process that comes:
 * reseed, run the hooks, and acknowledge if everything succeeded; else write
 * the failure to data/fork/error.  In other domains do nothing.  Returns when
 * it is done, also by another process.  ECANCELED: a step failed, which was
 * reported.
 */
int adapt(struct store *store, const struct options *options, int flags);

#endif

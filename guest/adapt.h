/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef GUEST_ADAPT_H
#define GUEST_ADAPT_H

#include <stdbool.h>

#include "agent.h"
#include "store.h"

#define ADAPT_AGAIN 1 /* also if it has failed before */

/*
 * In a clone, once for each generation, whoever comes first: reseed, run the
 * hooks, and acknowledge if all of it succeeded; else say in data/fork/error
 * what did not.  Elsewhere nothing.  Returns when it is done, also by another
 * process.  ECANCELED: a step failed, which was said.
 */
int adapt(struct store *store, const struct options *options, int flags);

#endif

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef GUEST_ADAPT_H
#define GUEST_ADAPT_H

#include <stdbool.h>

#include "agent.h"
#include "store.h"

/*
 * In a clone, once for each generation, whoever comes first: reseed, run the
 * hooks, acknowledge.  Elsewhere nothing.  Returns when it is done, also by
 * another process.
 */
int adapt(struct store *store, const struct options *options);

#endif

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The commands of xenfork-agent: each returns an exit status. */
#ifndef GUEST_COMMANDS_H
#define GUEST_COMMANDS_H

#include "agent.h"
#include "store.h"

int run_freeze(struct store *store, const struct options *options);
int run_watch(struct store *store, const struct options *options);
int run_adapt(struct store *store, const struct options *options);
int run_role(struct store *store);
int run_params(struct store *store, const struct options *options);
int run_get(struct store *store, const char *key);

#endif

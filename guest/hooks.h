/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Programs of the administrator's. */
#ifndef GUEST_HOOKS_H
#define GUEST_HOOKS_H

#include <stdbool.h>

#include "agent.h"
#include "fault.h"
#include "identity.h"

/* Check a hook's name by the rule of run-parts(8): letters, digits, - and _. */
bool hook_name_is_valid(const char *name);

/*
 * Run each program of the directory, in the order of their names, whether or
 * not those before it failed.  Return how many failed, or -errno; the first one
 * is noted in FAULT, which may be NULL.
 */
int hooks_run(const struct options *options, const char *directory,
              const char *role, const struct instance *instance,
              struct fault *fault);

#endif

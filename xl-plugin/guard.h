/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Verbs of Xen's own xl that images must be spared. */
#ifndef GUARD_H
#define GUARD_H

#include <stdbool.h>

/*
 * Is this verb, with its arguments, one that the user must not do?  It has
 * been said.  @program: xl-fork, which knows
 */
bool guard_refuses(const char *program, char **argv);

#endif

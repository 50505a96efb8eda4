/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Verbs of Xen's own xl that images must be spared. */
#ifndef XL_PLUGIN_GUARD_H
#define XL_PLUGIN_GUARD_H

#include <stdbool.h>

/*
 * Tell whether the user must not run this verb with these arguments; if so, the
 * message has been printed.  @program: xl-fork, which knows
 */
bool guard_refuses(const char *program, char **argv);
/* Tell whether the verb may have -a, and there are images. */
bool guard_takes_all(const char *verb);

#endif

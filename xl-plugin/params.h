/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Parameters of clones: from the command line, or from a file of JSON. */
#ifndef XL_PLUGIN_PARAMS_H
#define XL_PLUGIN_PARAMS_H

#include <stdbool.h>
#include <stdint.h>

#include <xenfork.h>

/* Set KEY=VALUE for every clone.  0 or XENFORK_E_*. */
int params_set(xenfork_spec *spec, const char *text);
/*
 * Load a list of COUNT objects, one for each clone; strings, numbers and true
 * or false.  False after a message that says what is wrong.
 */
bool params_load(xenfork_spec *spec, const char *path, uint32_t count);

#endif

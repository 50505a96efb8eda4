/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef XL_PLUGIN_FORK_OUTPUT_H
#define XL_PLUGIN_FORK_OUTPUT_H

#include <stdbool.h>

#include <xenfork.h>

/* Print the result of a fork on stdout; false if it could not be written. */
bool fork_print(const char *source, const xenfork_result *result,
                bool has_waited);
bool fork_print_timings(const xenfork_result *result);
bool fork_print_json(const char *source, uint32_t domid,
                     const xenfork_result *result);

#endif

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef XL_PLUGIN_CHECK_OUTPUT_H
#define XL_PLUGIN_CHECK_OUTPUT_H

#include <stdbool.h>

#include <xenfork.h>

/*
 * Print every reason why DOMAIN cannot be forked.  SPEC: what would be made;
 * NULL: one clone.  Returns EXIT_DONE when there is none, or an EXIT_*.
 */
int check_and_print(xenfork_ctx *ctx, const char *domain, uint32_t domid,
                    const xenfork_spec *spec, bool is_json);

#endif

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How simple verbs run: options, session, one thing done, exit status. */
#ifndef XL_PLUGIN_RUN_H
#define XL_PLUGIN_RUN_H

#include <xenfork.h>

#include "options.h"

/* Run on each of 1 to @max names; the exit status is the worst. */
int run_named(int argc, char **argv, const struct cmd *cmd, int max,
              int (*operate)(xenfork_ctx *ctx, const char *name));

/* Print a list made with these XENFORK_LIST_*; print returns the exit status.
 */
int run_list(int argc, char **argv, const struct cmd *cmd, int names,
             uint32_t flags,
             int (*print)(xenfork_ctx *ctx, const xenfork_list *list,
                          const struct simple_options *options));

#endif

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Verbs on clones that ask before they do what may be a loss. */
#ifndef XL_PLUGIN_CONSENT_H
#define XL_PLUGIN_CONSENT_H

#include <stdbool.h>

#include <xenfork.h>

#include "cmd.h"

/*
 * Operate on each of the names.  @operate fails with INUSE where @question is
 * to be asked, again for each reason; but not when it is called with consent,
 * which --yes gives at once.
 */
int run_asking(int argc, char **argv, const struct cmd *cmd,
               const char *question,
               int (*operate)(xenfork_ctx *ctx, const char *name,
                              bool has_consent));

#endif

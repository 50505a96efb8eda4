/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The options of all verbs but xl fork. */
#ifndef XL_PLUGIN_OPTIONS_H
#define XL_PLUGIN_OPTIONS_H

#include <stdbool.h>

#include "cmd.h"

#define WITH_JSON  (1U << 0) /* the verb has --json */
#define ANY_NUMBER (-1)      /* of names */

struct simple_options {
    int status;   /* what to exit with, when there is nothing to do */
    int count;    /* of names */
    char **names; /* what is left of argv */
    bool is_json;
};

/*
 * Parse -v, -h and, WITH_JSON, --json; then MIN to MAX names.  False:
 * help or usage has been printed; exit with the status.
 */
bool parse_simple(int argc, char **argv, const struct cmd *cmd,
                  unsigned int flags, int min, int max,
                  struct simple_options *options_out);

#endif

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The options of all verbs but xl fork. */
#include "config.h"

#include <getopt.h>
#include <stddef.h>

#include "options.h"

static const struct option with_json[] = {
    {"verbose", no_argument, NULL, 'v'},
    {"help", no_argument, NULL, 'h'},
    {"json", no_argument, NULL, 'j'},
    {NULL, 0, NULL, 0},
};

static const struct option without_json[] = {
    {"verbose", no_argument, NULL, 'v'},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

bool parse_simple(int argc, char **argv, const struct cmd *cmd,
                  unsigned int flags, int min, int max,
                  struct simple_options *options_out)
{
    const struct option *table = flags & WITH_JSON ? with_json : without_json;
    struct simple_options options = {0};
    int opt;

    while ((opt = getopt_long(argc, argv, "vh", table, NULL)) != -1) {
        switch (opt) {
        case 'v':
            verbosity++;
            break;
        case 'j':
            options.is_json = true;
            break;
        case 'h':
            options_out->status = cmd_help(cmd);
            return false;
        default:
            options_out->status = cmd_usage(cmd);
            return false;
        }
    }
    options.count = argc - optind;
    options.names = argv + optind;
    if (options.count < min || (max != ANY_NUMBER && options.count > max)) {
        options_out->status = cmd_usage(cmd);
        return false;
    }
    *options_out = options;
    return true;
}

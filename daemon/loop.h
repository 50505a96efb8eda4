/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The daemon's one loop: xenstore, signals, the state directory. */
#ifndef DAEMON_LOOP_H
#define DAEMON_LOOP_H

#include "base/internal.h"
#include "conf.h"

struct loop_options {
    const char *config_file;
    bool is_default_file; /* it may be missing */
    bool is_foreground;
};

/* Load the configuration.  False: message_out says what is wrong. */
bool loop_load_config(const struct loop_options *options,
                      struct config *config_out,
                      char message_out[CONFIG_MESSAGE]);
/* Run until SIGTERM; return an exit status. */
int loop_run(xenfork_ctx *ctx, const struct loop_options *options,
             const struct config *config);

#endif

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* --wait[=S] of the verbs whose clones adapt. */
#ifndef XL_PLUGIN_WAIT_H
#define XL_PLUGIN_WAIT_H

#include <stdbool.h>
#include <stdint.h>

#include <xenfork.h>

/* Parse its value; NULL: none was given. */
bool parse_wait(const char *text, uint64_t *seconds_out);
/*
 * Wait for the clones, and name those that are not ready; the clones stay.
 * *end_ms, 0 at first, is when the time limit ends: several results have one.
 * After a signal nobody waits.  Returns an EXIT_*.
 */
int wait_for_clones(xenfork_ctx *ctx, xenfork_result *result, uint64_t seconds,
                    uint64_t *end_ms);

#endif

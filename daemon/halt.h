/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Is the host going down?  What its guests do then, they are made to do. */
#ifndef DAEMON_HALT_H
#define DAEMON_HALT_H

#include "base/internal.h"

/*
 * Does Xen's xendomains end domains?  root: "", or a directory with a proc.
 * What cannot be told counts as yes.
 */
bool halt_has_xendomains(const char *root);
/* The same, and does systemd stop?  Waits for its answer. */
bool halt_is_near(xenfork_ctx *ctx, const char *root);

#endif

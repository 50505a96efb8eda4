/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reasons why a domain cannot be forked. */
#ifndef LIBFORK_OP_CHECK_H
#define LIBFORK_OP_CHECK_H

#include "base/internal.h"
#include "base/spec.h"
#include "xen/xen.h"

/* Find all reasons against a fork; spec NULL: without those about clones. */
int xenfork__check_source(xenfork_ctx *ctx, const struct xenfork__dominfo *info,
                          const struct xenfork__config *config,
                          const xenfork_spec *spec, bool is_frozen,
                          xenfork_check **check_out);
/*
 * Turn all reasons into one error, which has the first one's code; 0 when there
 * is none.
 */
int xenfork__check_fail(xenfork_ctx *ctx, const xenfork_check *check);

#endif

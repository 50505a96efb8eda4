/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reasons why an image cannot be forked; those that are about clones. */
#ifndef LIBFORK_OP_CHECK_IMAGE_H
#define LIBFORK_OP_CHECK_IMAGE_H

#include "base/spec.h"
#include "state/record.h"
#include "xen/xen.h"

/* Note whether names, MACs and the like that are asked for can be given. */
int xenfork__check_identities(xenfork_ctx *ctx, xenfork_check *check,
                              const xenfork_spec *spec,
                              const struct xenfork__config *config);
/*
 * Find all reasons against more clones of an image: its disks and its guest
 * were looked at when it was made.
 */
int xenfork__check_image(xenfork_ctx *ctx, const struct xenfork__record *image,
                         const struct xenfork__dominfo *info,
                         const xenfork_spec *spec, xenfork_check **check_out);

#endif

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Save the configuration from which a clone is started again: that of its
 * domain, in STATE/clones/UUID, as it was made and as we have changed it since.
 */
#ifndef LIBFORK_OP_SAVED_CONFIG_H
#define LIBFORK_OP_SAVED_CONFIG_H

#include "base/internal.h"
#include "state/record.h"
#include "xen/xen.h"

int xenfork__saved_config_write(xenfork_ctx *ctx, const uint8_t clone[16],
                                const char *json);
/* Return the configuration; caller frees.  STATE: there is none */
int xenfork__saved_config_read(xenfork_ctx *ctx,
                               const struct xenfork__record *clone,
                               char **json_out);
/*
 * Change the configuration of a clone, under the lock of the registry; a clone
 * without one is left alone.
 */
int xenfork__saved_config_change(xenfork_ctx *ctx,
                                 const struct xenfork__record *clone,
                                 const struct xenfork__config_change *change);

#endif

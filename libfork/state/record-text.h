/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A record as a key file, and back. */
#ifndef LIBFORK_STATE_RECORD_TEXT_H
#define LIBFORK_STATE_RECORD_TEXT_H

#include "state/keyfile.h"
#include "state/record.h"

int xenfork__record_to_keyfile(xenfork_ctx *ctx,
                               const struct xenfork__record *record,
                               struct xenfork__keyfile *keyfile);
/* Parse a record.  False: it is malformed. */
bool xenfork__record_from_keyfile(xenfork_ctx *ctx,
                                  struct xenfork__record *record,
                                  const struct xenfork__keyfile *keyfile);

#endif

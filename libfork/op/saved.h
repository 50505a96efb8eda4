/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Domains that xl save or xl migrate takes away at this moment. */
#ifndef LIBFORK_OP_SAVED_H
#define LIBFORK_OP_SAVED_H

#include "base/internal.h"

/*
 * Refuse what would resume, or suspend, a domain that is being saved or
 * migrated: it would run on two hosts, or be another than what is saved.  BUSY
 */
int xenfork__saved_refuse(xenfork_ctx *ctx, uint32_t domid);
/*
 * Tell whether xl has renamed a domain that the other host may have started: it
 * stays suspended here until that is known (migrate_domain(), xl_migrate.c,
 * 4.17 to 4.22).
 */
bool xenfork__is_named_away(const char *name);

#endif

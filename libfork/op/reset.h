/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A reset of a clone, between its check and its deed. */
#ifndef LIBFORK_OP_RESET_H
#define LIBFORK_OP_RESET_H

#include "op/job.h"

struct xenfork__reset {
    struct xenfork__job job;
    struct xenfork__lock *detach_lock, *lock;
    struct xenfork__record *clone;
    struct xenfork__config *kept; /* as the clone would be started again */
    xenfork_spec spec;            /* what was asked for at the fork */
    struct xenfork__clone_spec clone_spec;
};

/*
 * Lock the clone and its image, and check that it can go back: all that can be
 * known before its domain is destroyed.  flags: XENFORK_RESET_*.  For errors
 * see xenfork_clone_reset()
 */
int xenfork__reset_check(struct xenfork__reset *reset, const char *name,
                         uint32_t flags);

#endif

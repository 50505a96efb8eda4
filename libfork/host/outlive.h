/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Programs that outlive us, as QEMU, and are nobody's child. */
#ifndef LIBFORK_HOST_OUTLIVE_H
#define LIBFORK_HOST_OUTLIVE_H

#include "base/internal.h"

struct xenfork__program {
    char *const *argv; /* argv[0]: its path */
    char *const *env;  /* beside ours: "NAME=VALUE", with a final NULL */
    int log;           /* its standard output and error */
    int input;         /* its descriptor 3; it has no others */
};

/*
 * Start a program in a session of its own.  announce() is told its process id
 * before it is executed: when that fails, or we are killed meanwhile, it never
 * is.  IO
 */
int xenfork__sys_outlive(xenfork_ctx *ctx,
                         const struct xenfork__program *program,
                         int (*announce)(xenfork_ctx *ctx, void *opaque,
                                         uint32_t pid),
                         void *opaque);
/* Tell whether a process is there that is nobody's child. */
bool xenfork__sys_is_running(uint32_t pid);

#endif

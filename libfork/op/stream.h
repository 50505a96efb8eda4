/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The pageless stream: what libxl_domain_create_restore() reads, with no
 * pages but the special ones.  Formats: libxl-migration-stream.pandoc v2 and
 * libxc-migration-stream.pandoc v3, docs/specs, Xen 4.17.
 */
#ifndef LIBFORK_OP_STREAM_H
#define LIBFORK_OP_STREAM_H

#include "base/internal.h"
#include "xen/xen.h"

/* Build the stream; caller frees. */
int xenfork__stream_build(xenfork_ctx *ctx,
                          const struct xenfork__capture *capture,
                          uint8_t **stream_out, size_t *bytes_out);

struct xenfork__record; /* state/record.h */
/* Open an image's stream. */
int xenfork__stream_open(xenfork_ctx *ctx, const struct xenfork__record *image,
                         int *fd_out);
/*
 * Read of a stream what QEMU is started with: stream-read.c.  The file stands
 * at QEMU's state then.  nodes_out: "KEY\0VALUE\0…", or NULL; caller frees.
 * STATE
 */
int xenfork__stream_emulator(xenfork_ctx *ctx, int fd, char **nodes_out,
                             size_t *bytes_out);

#endif

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Files that count only when a journal has ended need not be durable as soon as
 * they are written: until then the journal removes them.  So the files of all
 * clones of a fork are synced together, each folder once.
 */
#ifndef LIBFORK_STATE_LATER_H
#define LIBFORK_STATE_LATER_H

#include "base/internal.h"

/*
 * Begin to note what is written into the folders of clones (state/files.c), and
 * their overlays, and do not sync it.
 */
void xenfork__sync_later(xenfork_ctx *ctx);
/* Sync what was noted; from here on all is synced as it is written.  STATE */
int xenfork__sync_all(xenfork_ctx *ctx);
/* Forget what was noted: it is about to be removed. */
void xenfork__sync_forget(xenfork_ctx *ctx);

/* Note a file, and its name, while ctx->later; -1 and errno */
int xenfork__later_file(xenfork_ctx *ctx, const char *path);
/* Note the name alone. */
int xenfork__later_names(xenfork_ctx *ctx, const char *path);

#endif

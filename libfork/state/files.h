/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Files and directories of the state: durable, atomic.  Errors: STATE. */
#ifndef LIBFORK_STATE_FILES_H
#define LIBFORK_STATE_FILES_H

#include "base/internal.h"

/* Use another state directory than the configured one. */
int xenfork__set_state_dir(xenfork_ctx *ctx, const char *dir);
/*
 * Return "a/b/c" below the state directory; NULL ends the parts.  Caller frees.
 */
char *xenfork__state_path(const xenfork_ctx *ctx, const char *part, ...)
    __attribute__((sentinel));
/* The files in the directory of one record. */
#define XENFORK__FILE_RECORD "record"

/* Make a directory with its parents, mode 0700. */
int xenfork__make_dir(xenfork_ctx *ctx, const char *path);
/*
 * Check that only root can change the files in a folder.  Absent: success.
 * DISK with text and remedy, not logged: others can, or it is not a folder
 */
int xenfork__dir_check(xenfork_ctx *ctx, const char *path);
/* Read a file of at most max_bytes, with a final NUL.  NOTFOUND, not logged */
int xenfork__file_read(xenfork_ctx *ctx, const char *path, size_t max_bytes,
                       char **text_out, size_t *bytes_out);
/*
 * Write a file: it has the new contents or the old ones, never half; its
 * directory must exist.
 */
int xenfork__file_write(xenfork_ctx *ctx, const char *path, const void *data,
                        size_t bytes);
/* Make the names in the folder of a path durable. */
int xenfork__names_sync(xenfork_ctx *ctx, const char *path);
/*
 * Remove a file.  Absent already: success.  A removal that cannot be made
 * durable is only a warning: what is undone, or removed, stays so until a power
 * cut.
 */
int xenfork__file_remove(xenfork_ctx *ctx, const char *path);
/*
 * Remove a file on whose absence something depends: durably.  Absent already:
 * success.
 */
int xenfork__file_remove_durably(xenfork_ctx *ctx, const char *path);
/*
 * Remove a directory of plain files with the files, a record last: by it the
 * rest is found.  Absent already: success.
 */
int xenfork__dir_remove(xenfork_ctx *ctx, const char *path);
/*
 * List the names in a directory, sorted, without those with a leading dot.
 * Absent: none.  Caller frees each and the array.
 */
int xenfork__dir_names(xenfork_ctx *ctx, const char *path, char ***names_out,
                       size_t *count_out);
/* List the names in a folder of the state directory. */
int xenfork__state_names(xenfork_ctx *ctx, const char *folder,
                         char ***names_out, size_t *count_out);
/*
 * Mark the state of the records in folders of the state directory: another mark
 * tells that one was written, or is gone.
 */
int xenfork__state_mark(xenfork_ctx *ctx, const char *const folders[],
                        size_t count, uint64_t *mark_out);
void xenfork__names_free(char **names, size_t count);

#endif

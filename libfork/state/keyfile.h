/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Small text records: "key value" lines, read whole, written atomically.  The
 * last line is a checksum: a record that was changed, by a fault of the disk or
 * by hand, is refused, since what it would lead to is the removal of files and
 * domains.  An administrator who has changed one on purpose writes "sum
 * by-hand" in place of it.
 */
#ifndef LIBFORK_STATE_KEYFILE_H
#define LIBFORK_STATE_KEYFILE_H

#include "base/internal.h"

struct xenfork__keyfile;

int xenfork__keyfile_new(xenfork_ctx *ctx, struct xenfork__keyfile **out);
void xenfork__keyfile_free(struct xenfork__keyfile *keyfile);
/* Return the value of a key; NULL: no such key. */
const char *xenfork__keyfile_get(const struct xenfork__keyfile *keyfile,
                                 const char *key);
/* Return the number of a key.  False: no such key, or not a number. */
bool xenfork__keyfile_get_u64(const struct xenfork__keyfile *keyfile,
                              const char *key, uint64_t *value_out);
bool xenfork__keyfile_get_u32(const struct xenfork__keyfile *keyfile,
                              const char *key, uint32_t *value_out);
/* Return the values of "KEY.0", "KEY.1" and so on. */
const char *xenfork__keyfile_get_nth(const struct xenfork__keyfile *keyfile,
                                     const char *key, uint32_t n);
int xenfork__keyfile_set(xenfork_ctx *ctx, struct xenfork__keyfile *keyfile,
                         const char *key, const char *value);
int xenfork__keyfile_set_u64(xenfork_ctx *ctx, struct xenfork__keyfile *keyfile,
                             const char *key, uint64_t value);
int xenfork__keyfile_set_nth(xenfork_ctx *ctx, struct xenfork__keyfile *keyfile,
                             const char *key, uint32_t n, const char *value);
/* Read a file.  NOTFOUND (not logged); STATE unreadable or malformed */
int xenfork__keyfile_read(xenfork_ctx *ctx, const char *path,
                          struct xenfork__keyfile **out);
/*
 * Write a file: old contents or new, never half, also after a power cut.  STATE
 */
int xenfork__keyfile_write(xenfork_ctx *ctx, const char *path,
                           const struct xenfork__keyfile *keyfile);

/* Free a keyfile: for cleanup_keyfile. */
static inline void xenfork__keyfile_cleanup(struct xenfork__keyfile **keyfile)
{
    int e = errno;

    xenfork__keyfile_free(*keyfile);
    errno = e;
}
#define cleanup_keyfile __attribute__((cleanup(xenfork__keyfile_cleanup)))

#endif

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Headers of qcow2 files (QEMU, docs/interop/qcow2): read a backing file, and
 * make empty files.  A name that is not absolute is looked for in the folder of
 * the file that names it, as QEMU does.
 */
#ifndef LIBFORK_DISK_QCOW2_HEADER_H
#define LIBFORK_DISK_QCOW2_HEADER_H

#include "base/internal.h"

struct xenfork__qcow2 {
    uint64_t size_bytes;
    uint32_t cluster_bits;
    const char *trouble; /* why it cannot back an overlay; NULL: it can */
    char *backing;       /* as it is written there; NULL: none */
    bool is_backing_raw;
};

/*
 * Read the header of a file.  DISK, not logged: it is not a qcow2 file.
 * NOTFOUND, not logged: there is no file.  STATE: it cannot be read; not
 * logged: its header is malformed
 */
int xenfork__qcow2_read(xenfork_ctx *ctx, const char *path,
                        struct xenfork__qcow2 *out);
void xenfork__qcow2_free(struct xenfork__qcow2 *qcow2);
/*
 * Make a new, empty file that is backed by @from, which is or will be in the
 * same folder under the name @backing; owner and mode are those of @from.  DISK
 */
int xenfork__qcow2_create(xenfork_ctx *ctx, const char *from,
                          const char *backing, const char *path);
/* See parent() in disk.h: of what we make, all is qcow2. */
int xenfork__qcow2_parent(xenfork_ctx *ctx, const char *path,
                          char **parent_out);

#define cleanup_qcow2 __attribute__((cleanup(xenfork__qcow2_free)))

#endif

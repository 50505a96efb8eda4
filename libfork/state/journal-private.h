/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The parts of a journal: for journal.c, which writes it, and op/. */
#ifndef LIBFORK_STATE_JOURNAL_PRIVATE_H
#define LIBFORK_STATE_JOURNAL_PRIVATE_H

#include "state/journal.h"
#include "state/keyfile.h"
#include "state/lock.h"

#define XENFORK__JOURNAL_DIR "journals"

/* Operations on a disk: the values of "disk.operation". */
#define XENFORK__JOURNAL_SNAPSHOT "snapshot"
#define XENFORK__JOURNAL_OVERLAY  "overlay"
#define XENFORK__JOURNAL_DETACH   "detach"
#define XENFORK__JOURNAL_REPLACED "replaced"

/* Why it could not be undone. */
#define XENFORK__JOURNAL_REASON "reason"
#define XENFORK__JOURNAL_REMEDY                                                \
    "xl fork-list says why; xl fork-recover tries again, and xl fork-recover " \
    "--set-aside ID gives it up"

struct xenfork__journal {
    char id[XENFORK__UUID_CHARS];
    char *path;
    struct xenfork__lock *lock;
    struct xenfork__keyfile *keyfile;
    uint32_t disks, clones, macs;
    bool is_ownerless;  /* undone by another than who began it */
    int outer_guard_fd; /* of the context, before this one was locked */
};

/*
 * Lock a journal, without reading or making its record.  Programs that are run
 * from here on have the lock, too, until the journal is freed
 */
int xenfork__journal_handle(xenfork_ctx *ctx, const char *id, bool is_waiting,
                            struct xenfork__journal **journal_out);
void xenfork__journal_free(xenfork_ctx *ctx, struct xenfork__journal *journal);
/* List the names in the journals' directory.  Caller frees */
int xenfork__journal_ids(xenfork_ctx *ctx, char ***ids_out, size_t *count_out);

/* Read the journal: a UUID (@n UINT32_MAX: the only one), and a flag. */
bool xenfork__journal_uuid(const struct xenfork__journal *journal,
                           const char *key, uint32_t n, uint8_t uuid_out[16]);
bool xenfork__journal_flag(const struct xenfork__journal *journal,
                           const char *key);
/* Tell whether it was begun since this host was booted. */
bool xenfork__journal_is_of_this_boot(xenfork_ctx *ctx,
                                      const struct xenfork__journal *journal);

#endif

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The journal of one fork.  Each entry is written before the thing that it
 * names is made, so that a process that finds the journal without its owner can
 * undo it.  Domains are found by UUIDs that were chosen beforehand.
 */
#ifndef LIBFORK_TXN_H
#define LIBFORK_TXN_H

#include "base/ids.h"
#include "base/internal.h"
#include "state/keyfile.h"

struct xenfork__txn;

#define XENFORK__TXN_MAX_NTH 65536U /* numbered entries of a journal */

/* Begin a journal; its owner is this process. */
int xenfork__txn_begin(xenfork_ctx *ctx, struct xenfork__txn **txn_out);
const char *xenfork__txn_id(const struct xenfork__txn *txn);

/* Each of these is durable when it returns. */
int xenfork__txn_source(xenfork_ctx *ctx, struct xenfork__txn *txn,
                        const uint8_t uuid[16], uint32_t domid,
                        bool was_paused);
int xenfork__txn_image(xenfork_ctx *ctx, struct xenfork__txn *txn,
                       const uint8_t uuid[16]);
/*
 * Note that an existing image raises its reservation; without, its limit is
 * @max_pages.
 */
int xenfork__txn_claim(xenfork_ctx *ctx, struct xenfork__txn *txn,
                       const uint8_t image[16], uint64_t max_pages);
/*
 * Note that a clone reserves all its memory for a while; @pages: what it could
 * own before.
 */
int xenfork__txn_reserve(xenfork_ctx *ctx, struct xenfork__txn *txn,
                         const uint8_t uuid[16], uint64_t pages);
/*
 * Note that the source is told that it is one, which it had not been told
 * before.
 */
int xenfork__txn_publishing(xenfork_ctx *ctx, struct xenfork__txn *txn);
/* Note that the source is paused now and then. */
int xenfork__txn_pausing(xenfork_ctx *ctx, struct xenfork__txn *txn);
/*
 * Note that the source is paused for one moment, so that it can be told who did
 * it: if its user had paused it at @info, and it has run since, we did.
 */
int xenfork__txn_stopping(xenfork_ctx *ctx, struct xenfork__txn *txn,
                          bool was_paused, uint64_t cpu_ns);
int xenfork__txn_suspending(xenfork_ctx *ctx, struct xenfork__txn *txn);
int xenfork__txn_resumed(xenfork_ctx *ctx, struct xenfork__txn *txn);
/* Note that a record is made that the source is frozen. */
int xenfork__txn_freezing(xenfork_ctx *ctx, struct xenfork__txn *txn);
/*
 * A disk driver is about to make @path: by a snapshot of the disk @vdev at
 * @from, which its abort() undoes; an overlay, which its remove() undoes; or
 * where a disk that is in use at @from goes, which its detach_settle() ends or
 * undoes.  See disk/disk.h
 */
struct xenfork__txn_disk {
    const char *path, *vdev, *from;
};
int xenfork__txn_snapshot(xenfork_ctx *ctx, struct xenfork__txn *txn,
                          const char *driver,
                          const struct xenfork__txn_disk *disk);
int xenfork__txn_overlay(xenfork_ctx *ctx, struct xenfork__txn *txn,
                         const char *driver, const char *path);
int xenfork__txn_detach(xenfork_ctx *ctx, struct xenfork__txn *txn,
                        const char *driver,
                        const struct xenfork__txn_disk *disk);
/*
 * Note a clone with its name, UUID and MACs, which nobody else chooses
 * meanwhile.  Durable with all others, by xenfork__txn_chosen().
 */
int xenfork__txn_clone(xenfork_ctx *ctx, struct xenfork__txn *txn,
                       const uint8_t uuid[16], const char *name,
                       const uint8_t *macs, size_t mac_count);
/*
 * Note that a clone that has ended gets a new domain; disks and record are its
 * own.
 */
int xenfork__txn_start(xenfork_ctx *ctx, struct xenfork__txn *txn,
                       const uint8_t uuid[16]);
int xenfork__txn_chosen(xenfork_ctx *ctx, struct xenfork__txn *txn);

/* Commit: remove the journal, durably.  Frees @txn on success. */
int xenfork__txn_commit(xenfork_ctx *ctx, struct xenfork__txn *txn);
/* Undo, source first.  Frees @txn.  RESIDUE: the journal stays */
int xenfork__txn_rollback(xenfork_ctx *ctx, struct xenfork__txn *txn);

/* Roll back all whose owner is gone, each that can be.  RESIDUE */
int xenfork__txns_recover(xenfork_ctx *ctx);
/*
 * Roll back one journal; already gone: success.  A caller that knows that the
 * owner is gone waits for the lock: the kernel drops a killed process' pipes
 * before its locks.
 */
int xenfork__txn_recover(xenfork_ctx *ctx, const char *id, bool is_waiting);
/*
 * Roll back the journals about a source, image or clone, under its lock, which
 * their owner would hold: they have no owner, and are rolled back now, or are
 * being rolled back by another process; wait.  A journal that cannot be rolled
 * back holds up this one, and no other: RESIDUE
 */
int xenfork__txns_settle(xenfork_ctx *ctx, const uint8_t uuid[16]);
struct xenfork__nodes;
/*
 * List journals without an owner, as records; the reason is in the parent's
 * name.
 */
int xenfork__txns_load(xenfork_ctx *ctx, struct xenfork__nodes *nodes_out);
/* Tell whether the journal is still to be committed or rolled back. */
bool xenfork__txn_exists(xenfork_ctx *ctx, const char *id);

/* Every journal there is, of running forks too; negative: it ends there. */
typedef int xenfork__txn_fn(xenfork_ctx *ctx,
                            const struct xenfork__record *record, void *opaque);
int xenfork__txns_each(xenfork_ctx *ctx, xenfork__txn_fn *look, void *opaque);

#endif

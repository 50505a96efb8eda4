/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The journal of one fork.  Each entry is written before the thing that it
 * names is made, so that a process that finds the journal without its owner can
 * undo it.  Domains are found by UUIDs that were chosen beforehand.
 */
#ifndef LIBFORK_STATE_JOURNAL_H
#define LIBFORK_STATE_JOURNAL_H

#include "base/ids.h"
#include "base/internal.h"
#include "state/keyfile.h"

struct xenfork__journal;

#define XENFORK__JOURNAL_MAX_NTH 65536U /* numbered entries of a journal */

/*
 * Begin a journal; its owner is this process.  It is written with its first
 * entry.
 */
int xenfork__journal_begin(xenfork_ctx *ctx,
                           struct xenfork__journal **journal_out);
const char *xenfork__journal_id(const struct xenfork__journal *journal);

/*
 * Note what is about to be made: each note is durable when its function
 * returns.
 */
int xenfork__journal_source(xenfork_ctx *ctx, struct xenfork__journal *journal,
                            const uint8_t uuid[16], uint32_t domid,
                            bool was_paused);
int xenfork__journal_image(xenfork_ctx *ctx, struct xenfork__journal *journal,
                           const uint8_t uuid[16]);
/*
 * Note that an existing image raises its reservation; without, its limit is
 * @max_pages.
 */
int xenfork__journal_claim(xenfork_ctx *ctx, struct xenfork__journal *journal,
                           const uint8_t image[16], uint64_t max_pages);
/*
 * Note that a clone reserves all its memory for a while; @pages: what it could
 * own before.
 */
int xenfork__journal_reserve(xenfork_ctx *ctx, struct xenfork__journal *journal,
                             const uint8_t uuid[16], uint64_t pages);
/*
 * Note that the source is told that it is one, which it had not been told
 * before.
 */
int xenfork__journal_publishing(xenfork_ctx *ctx,
                                struct xenfork__journal *journal);
/*
 * Note how large its paging pool is when no page of it is made sharable.
 * Durable with the next entry
 */
int xenfork__journal_pool(xenfork_ctx *ctx, struct xenfork__journal *journal,
                          uint64_t bytes);
/* Note that the source is paused now and then. */
int xenfork__journal_pausing(xenfork_ctx *ctx,
                             struct xenfork__journal *journal);
/* Note that it is, and that Xen logs what it writes. */
int xenfork__journal_logging(xenfork_ctx *ctx,
                             struct xenfork__journal *journal);
/* Note that Xen does so no more: durable with the next entry. */
int xenfork__journal_logged(xenfork_ctx *ctx, struct xenfork__journal *journal);
/*
 * Note that its nth NIC is muted, and that all hear again.  Durable with the
 * next entry
 */
int xenfork__journal_muting(xenfork_ctx *ctx, struct xenfork__journal *journal,
                            uint32_t n, const char *ifname);
int xenfork__journal_muted(xenfork_ctx *ctx, struct xenfork__journal *journal);
/*
 * Note that the source is paused for one moment, so that it can be told who did
 * it: if its user had paused it at @info, and it has run since, we did.
 */
int xenfork__journal_stopping(xenfork_ctx *ctx,
                              struct xenfork__journal *journal, bool was_paused,
                              uint64_t cpu_ns);
/* Note that the source is asked to suspend, or stopped where it is. */
int xenfork__journal_suspending(xenfork_ctx *ctx,
                                struct xenfork__journal *journal, bool is_stop);
int xenfork__journal_resumed(xenfork_ctx *ctx,
                             struct xenfork__journal *journal);
/* Note that a record is made that the source is frozen. */
int xenfork__journal_freezing(xenfork_ctx *ctx,
                              struct xenfork__journal *journal);
/*
 * A disk driver is about to make @path: by a snapshot of the disk @vdev at
 * @from, which its abort() undoes; an overlay, which its remove() undoes; or
 * where a disk that is in use at @from goes, which its detach_recover() ends or
 * undoes.  See disk/disk.h
 */
struct xenfork__journal_disk {
    const char *path, *vdev, *from;
};
int xenfork__journal_snapshot(xenfork_ctx *ctx,
                              struct xenfork__journal *journal,
                              const char *driver,
                              const struct xenfork__journal_disk *disk);
/* Note an overlay: durable with all others, by xenfork__journal_chosen(). */
int xenfork__journal_overlay(xenfork_ctx *ctx, struct xenfork__journal *journal,
                             const char *driver, const char *path);
int xenfork__journal_detach(xenfork_ctx *ctx, struct xenfork__journal *journal,
                            const char *driver,
                            const struct xenfork__journal_disk *disk);
/*
 * Note a clone with its name, UUID and MACs, which nobody else chooses
 * meanwhile.  Durable with all others, by xenfork__journal_chosen().
 */
int xenfork__journal_clone(xenfork_ctx *ctx, struct xenfork__journal *journal,
                           const uint8_t uuid[16], const char *name,
                           const uint8_t *macs, size_t mac_count);
/*
 * Note that a clone that has ended gets a new domain; disks and record are its
 * own.
 */
int xenfork__journal_start(xenfork_ctx *ctx, struct xenfork__journal *journal,
                           const uint8_t uuid[16]);
/*
 * Note that a clone, whose domain was @domid (NONE: it had none), gets another
 * one, and new disks; it is let to run unless @is_paused.  Durable with the
 * next entry
 */
int xenfork__journal_reset(xenfork_ctx *ctx, struct xenfork__journal *journal,
                           const uint8_t uuid[16], uint32_t domid,
                           bool is_paused);
/* Note a disk of it, which is removed once the new one is the clone's. */
int xenfork__journal_replaced(xenfork_ctx *ctx,
                              struct xenfork__journal *journal,
                              const char *driver, const char *path);
/* Note that its old domain is about to be destroyed: durable. */
int xenfork__journal_retiring(xenfork_ctx *ctx,
                              struct xenfork__journal *journal);
int xenfork__journal_chosen(xenfork_ctx *ctx, struct xenfork__journal *journal);

/* Commit: remove the journal, durably.  Frees @journal on success. */
int xenfork__journal_commit(xenfork_ctx *ctx, struct xenfork__journal *journal);

/* Tell whether the journal is still to be committed or rolled back. */
bool xenfork__journal_exists(xenfork_ctx *ctx, const char *id);

/*
 * Look at a journal: called for every one there is, of running forks too;
 * negative: it ends there.
 */
typedef int xenfork__journal_fn(xenfork_ctx *ctx,
                                const struct xenfork__keyfile *keyfile,
                                void *opaque);
int xenfork__journals_each(xenfork_ctx *ctx, xenfork__journal_fn *look,
                           void *opaque);

#endif

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Disks by device-mapper, each behind a device of a fixed name, with a table
 * that changes.  There are two kinds of names.  A raw file, or a block device,
 * names itself, until its first snapshot.  From then on it is never written: a
 * record says that its domain uses a thin device over it, its "head".  A
 * descriptor, UUID-VDEV.thin, is the record of an overlay or a base.  The base
 * of a first snapshot has no thin device: it is the file itself.  Records and
 * the pool of the thin devices are in a folder ".xenfork" in the file's folder;
 * for block devices, in the state directory.  All is done under one lock for a
 * folder, and recorded so that nothing needs to be in use already: after a
 * reboot, attaching a disk brings up what backs it.
 *
 * No disk is looked up by a name that can be spelt in two ways: a file is
 * its inode, a device what the kernel knows it by (disk/thin/name.c).  A record
 * says which disk it is about, and which pool its thin device is in; both are
 * compared whenever the disk is put to use.
 */
#ifndef LIBFORK_DISK_THIN_THIN_H
#define LIBFORK_DISK_THIN_THIN_H

#include "base/internal.h"
#include "host/dm.h"
#include "state/keyfile.h"
#include "state/lock.h"

#define XENFORK__THIN_DIR    ".xenfork"
#define XENFORK__THIN_SUFFIX ".thin"
#define XENFORK__THIN_HEAD   ".head"
#define XENFORK__THIN_UNFINISHED                \
    ".new" /* of a record that is being written \
            */

struct xenfork__thin {
    char *path;   /* the one that all its names lead to */
    char *dir;    /* of records and pool */
    char *record; /* of this one; a file's is there when it has a head */
    char device[XENFORK__DM_NAME_BYTES];
    /* every device over the origin uses this one */
    char base[XENFORK__DM_NAME_BYTES];
    char *origin;      /* the file or device below all */
    char *origin_is;   /* "inode 12", "dm LVM-…": not its name */
    char *pool;        /* UUID; NULL: it is in none */
    bool is_on_device; /* the origin is one */
    bool is_descriptor;
    bool is_base;
    bool has_id; /* of a thin device */
    uint64_t id;
    uint64_t sectors;
    struct xenfork__lock *lock; /* of the folder */
};

/*
 * Look up a disk, and lock all that are in the same folder until it is closed.
 * DISK: there is no such disk.  NOTFOUND, not logged: no such descriptor
 */
int xenfork__thin_open(xenfork_ctx *ctx, const char *path,
                       struct xenfork__thin **thin_out);
/* Look up a disk where the caller has the lock. */
int xenfork__thin_peek(xenfork_ctx *ctx, const char *path,
                       struct xenfork__thin **thin_out);
void xenfork__thin_close(struct xenfork__thin *thin);
/* Say that a path is no disk of the thin driver, and why. */
int xenfork__thin_no_disk(xenfork_ctx *ctx, const char *path, const char *why);
bool xenfork__thin_ends_in(const char *text, const char *end);
/*
 * Call @look with the path of each file in a folder whose name ends so; a
 * result below 0 ends it, and is returned
 */
typedef int xenfork__thin_file_fn(xenfork_ctx *ctx, const char *path,
                                  void *opaque);
int xenfork__thin_each(xenfork_ctx *ctx, const char *dir, const char *end,
                       xenfork__thin_file_fn *look, void *opaque);
/* Write the disk's record. */
int xenfork__thin_save(xenfork_ctx *ctx, const struct xenfork__thin *thin);
/* Take the lock of the disks in a folder. */
int xenfork__thin_lock(xenfork_ctx *ctx, const char *dir,
                       struct xenfork__lock **lock_out);
/*
 * Check before use that the file or device, and the pool, that back the disk
 * are those of its record.  DISK, with remedy: no
 */
int xenfork__thin_check(xenfork_ctx *ctx, struct xenfork__thin *thin);
/* Tell whether the record names a device in this folder's pool. */
int xenfork__thin_is_in_pool(xenfork_ctx *ctx, const struct xenfork__thin *thin,
                             bool *is_out);

/* The disk for which a path stands: disk/thin/name.c */
/* Set path, dir, is_descriptor; of a file or device origin and origin_is. */
int xenfork__thin_resolve(xenfork_ctx *ctx, const char *path,
                          struct xenfork__thin *thin);
/* Identify a file or a device other than by name; caller frees. */
int xenfork__thin_origin_is(xenfork_ctx *ctx, const char *path, char **is_out);
/* Set device and base, once origin_is is known. */
int xenfork__thin_name_devices(xenfork_ctx *ctx, struct xenfork__thin *thin);
/* Name the device of the overlay of this path, as it is, or was. */
void xenfork__thin_name_overlay(const char *path,
                                char name_out[XENFORK__DM_NAME_BYTES]);

/* Return the number of the device that serves the disk of this path; 0: none */
int xenfork__thin_number(xenfork_ctx *ctx, const char *path,
                         uint64_t *number_out);
/* Attach a disk: put it behind its device.  INUSE: a domain has it */
int xenfork__thin_attach(xenfork_ctx *ctx, const char *path, bool is_readonly,
                         bool is_shared, char **node_out);
/*
 * Remove a device that nobody needs any more.  Absent already: success.  node:
 * the device that was attached, if the path is another disk's now; NULL: not
 * known
 */
int xenfork__thin_detach(xenfork_ctx *ctx, const char *path, const char *node);

/* Under the lock: disk/thin/device.c */
/* Return the table of a thin device of this disk; caller frees params. */
int xenfork__thin_table(xenfork_ctx *ctx, const struct xenfork__thin *thin,
                        char **params_out);
/*
 * Return the table of its origin alone.  fd_out: keep it open until the table
 * is in use
 */
int xenfork__thin_linear(xenfork_ctx *ctx, const struct xenfork__thin *thin,
                         bool is_readonly, char **params_out, int *fd_out);
/* Make a thin device over the origin, and its record. */
int xenfork__thin_make_head(xenfork_ctx *ctx, struct xenfork__thin *thin);
/* Remove a head that is not needed any more. */
int xenfork__thin_remove_head(xenfork_ctx *ctx,
                              const struct xenfork__thin *head);
/* Make its device, with everything below. */
int xenfork__thin_make(xenfork_ctx *ctx, const struct xenfork__thin *thin,
                       bool is_readonly);
/*
 * Remove the device.  Absent already: success; in use by other readers: it
 * stays
 */
int xenfork__thin_remove_device(xenfork_ctx *ctx,
                                const struct xenfork__thin *thin);
/*
 * Mend a disk that nobody forks at the moment: its device, if any, goes on with
 * its present table, and the record says so.
 */
int xenfork__thin_mend(xenfork_ctx *ctx, struct xenfork__thin *thin,
                       bool *is_there_out);
/* Take pool and origin out of use if nobody needs them. */
int xenfork__thin_release(xenfork_ctx *ctx, const struct xenfork__thin *thin);
/* Return the space that an active thin device has in the pool. */
int xenfork__thin_mapped(xenfork_ctx *ctx, const struct xenfork__thin *thin,
                         uint64_t *sectors_out);

struct xenfork__detach_request;
struct xenfork__snapshot;
/*
 * Make the disk's own copy: the driver's detach(), see disk.h:
 * disk/thin/detach.c
 */
int xenfork__thin_make_own(xenfork_ctx *ctx,
                           const struct xenfork__detach_request *request);
int xenfork__thin_detach_recover(xenfork_ctx *ctx,
                                 const struct xenfork__snapshot *snapshot,
                                 bool *is_switched_out);
/*
 * Copy an overlay that a domain uses into a file, step by step:
 * disk/thin/move.c.  Then writes go to both, until the move is finished, or
 * undone.
 */
int xenfork__thin_move(xenfork_ctx *ctx,
                       const struct xenfork__detach_request *request);
/*
 * Finish a move: from now on writes go only to the file.  is_moved_out false:
 * it is not in both
 */
int xenfork__thin_finish_move(xenfork_ctx *ctx,
                              const struct xenfork__thin *thin,
                              bool *is_moved_out);
/*
 * Tell whether the disk of this record is in both.  False also if it has no
 * such record, or no device
 */
int xenfork__thin_is_in_both(xenfork_ctx *ctx, const char *path, bool *is_out);
/* Name the thin device below a disk that is moved. */
void xenfork__thin_name_under(const struct xenfork__thin *thin,
                              char name_out[XENFORK__DM_NAME_BYTES]);

/* The disks that an origin backs: disk/thin/writeback.c */
struct xenfork__thin_users {
    uint32_t overlays, base; /* on this origin */
    bool has_head;           /* it has */
    uint32_t records;        /* of any kind, in the folder */
    uint32_t unreadable;     /* descriptors: they may be on any origin */
};
int xenfork__thin_users(xenfork_ctx *ctx, const char *dir,
                        const char *origin_is,
                        struct xenfork__thin_users *users_out);
/* Tell whether a record has all that it needs. */
bool xenfork__thin_is_whole(const struct xenfork__keyfile *keyfile);
/* Tell by its name whether a record is of this origin's head. */
bool xenfork__thin_is_head_of(const char *record, const char *origin_is);
/*
 * Tell whether an unreadable descriptor may be on this file or device: a file
 * that backs others is immutable.
 */
int xenfork__thin_may_back(xenfork_ctx *ctx, const struct xenfork__thin *thin,
                           const struct xenfork__thin_users *users,
                           bool *may_out);
/* Refuse to write to a file that an unreadable descriptor may be on.  INUSE */
int xenfork__thin_check_doubt(xenfork_ctx *ctx,
                              const struct xenfork__thin *thin,
                              const struct xenfork__thin_users *users);
/*
 * Sweep after a removal, or the end of a domain: an origin that backs nothing
 * any more becomes a plain file again, and the pool is removed with the last of
 * them.
 */
int xenfork__thin_sweep(xenfork_ctx *ctx, const struct xenfork__thin *thin);
/* Sweep the pool and the folder, if nothing is recorded there. */
int xenfork__thin_sweep_folder(xenfork_ctx *ctx, const char *dir);
/*
 * Write a head back into one file, without the lock, however long it takes.
 * INUSE
 */
int xenfork__thin_write_back(xenfork_ctx *ctx, const char *path);

static inline void xenfork__thin_cleanup(struct xenfork__thin **thin)
{
    int e = errno;

    xenfork__thin_close(*thin);
    errno = e;
}
#define cleanup_thin __attribute__((cleanup(xenfork__thin_cleanup)))

#endif

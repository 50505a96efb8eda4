/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The disks of a fork: one driver for each, a journal for all.  prepare() runs
 * while the source runs, snapshot() while it does not, with its rings drained;
 * then clones are made, as many and as late as wanted.  Everything that a
 * driver is about to make is journaled before, under the driver's name: rolling
 * the journal back calls abort(), or remove().
 *
 * A path names a disk for its driver, and is what libxl has in its record: a
 * file, a device, or the target of a block script.  It stays the same for the
 * disk's whole life: a driver whose snapshot gives the source another file
 * makes the same path lead to that file.
 *
 * The graph: a base is in the record of its image, an overlay in that of its
 * clone.  Where overlays go on needing their base (parent is not NULL), each
 * file names its own backing file, and disk/base.h keeps a base that outlives
 * its image until no overlay needs it.
 */
#ifndef LIBFORK_DISK_DISK_H
#define LIBFORK_DISK_DISK_H

#include "base/internal.h"
#include "base/spec.h"
#include "state/journal.h"
#include "state/record.h"
#include "host/host.h"
#include "xen/xen.h"

struct xenfork__collapse_request;
struct xenfork__detach_request;

/* A snapshot: one disk of a source that is forked. */
struct xenfork__snapshot {
    uint32_t domid;   /* XENFORK_DOMID_NONE: it is gone */
    const char *vdev; /* "xvda" */
    const char *from; /* the source's path */
    const char *to;   /* of the base */
    bool is_frozen;   /* to be prepared: the source is, and stays so */
};

/* An operation that is NULL is one that the driver has no need of. */
struct xenfork__disk_driver {
    const char *name;
    const char *why;    /* one uses it, in a few words */
    const char *script; /* clones' disks need it; NULL: as the source's */
    bool takes_options; /* disk->options, checked by probe: INVAL */
    /*
     * Tell whether the disk is of the driver's kind: then probe's refusal is
     * final.  NULL: the driver cannot tell
     */
    bool (*owns)(xenfork_ctx *ctx, const struct xenfork__disk *disk);
    /*
     * Check that the driver can fork this disk.  DISK with text and remedy, not
     * logged.  is_frozen: the source is, or is to be, frozen
     */
    int (*probe)(xenfork_ctx *ctx, const struct xenfork__disk *disk,
                 bool is_frozen);
    /*
     * Tell whether another driver that can fork the disk is better.  NULL: none
     * ever is
     */
    int (*yields)(xenfork_ctx *ctx, const struct xenfork__disk *disk,
                  bool is_frozen, bool *yields_out);
    /*
     * Return the path of a base or overlay; caller frees.  NULL: as the
     * source's
     */
    int (*path)(xenfork_ctx *ctx, const struct xenfork__disk *disk,
                const uint8_t uuid[16], char **path_out);
    /*
     * Prepare the snapshot while the source runs: everything that takes time.
     */
    int (*prepare)(xenfork_ctx *ctx, const struct xenfork__snapshot *snapshot);
    /* Take the snapshot while the source does not run: @to becomes the base. */
    int (*snapshot)(xenfork_ctx *ctx, const struct xenfork__snapshot *snapshot);
    /*
     * Undo prepare and the snapshot, wherever they have come to, for a driver
     * that switches the source to another file or device.  Called in the stun,
     * or after it while the source runs, is frozen, or is gone.  It may be
     * called twice.  NULL: remove(@to) is enough
     */
    int (*abort)(xenfork_ctx *ctx, const struct xenfork__snapshot *snapshot);
    /* Make an overlay for a clone. */
    int (*clone)(xenfork_ctx *ctx, const char *from, const char *to);
    /* Remove a base or overlay, finished or not.  Absent already: success */
    int (*remove)(xenfork_ctx *ctx, const char *path);
    /*
     * Tell whether a base or overlay exists, in use or not.  NULL: it is a file
     */
    int (*exists)(xenfork_ctx *ctx, const char *path, bool *exists_out);
    /*
     * Put an overlay behind its device, as its script does.  NULL: that takes
     * a process
     */
    int (*attach)(xenfork_ctx *ctx, const char *path, bool is_readonly,
                  struct xenfork__device *device_out);
    /*
     * Remove what has served @path after the clone's domain is gone, if the
     * script could not.  NULL: it always can
     */
    int (*release)(xenfork_ctx *ctx, const char *path);
    /*
     * Return the file that backs this overlay, for drivers whose overlays go on
     * needing their base.  Caller frees; NULL: none.  NOTFOUND, not logged:
     * there is no @path
     */
    int (*parent)(xenfork_ctx *ctx, const char *path, char **parent_out);
    /*
     * Make a step towards a shorter chain of the source: in the background,
     * under the source's lock, again and again.  It never waits: work that
     * takes time goes on while the lock is free, and the next fork stops it.
     * again_out: there is more to do.  to_out: this base backs only the source,
     * and abort() can put it back; caller frees
     */
    int (*collapse)(xenfork_ctx *ctx,
                    const struct xenfork__collapse_request *request,
                    bool *again_out, char **to_out);
    /*
     * Do work that may take long, after each such step, without that lock.
     * Nobody else does it meanwhile.  again_out: set, or left as it is
     */
    int (*coalesce)(xenfork_ctx *ctx,
                    const struct xenfork__collapse_request *request,
                    bool *again_out);
    /*
     * Make an overlay independent of its base, while the domain runs, step by
     * step, see disk/detach.h, under its lock.  After a stop the disk is as
     * good as before, and the next call continues.  Where @to is set the domain
     * uses that from now on; the old file is removed after that.  DISK: it
     * cannot be moved while the domain runs.  NULL: it has no base, and cannot
     * be moved while the domain runs
     */
    int (*detach)(xenfork_ctx *ctx,
                  const struct xenfork__detach_request *request);
    /*
     * Finish what a killed detach has begun under a journal, described as a
     * snapshot: the disk is as before, or switched.  is_switched_out: the
     * domain uses @to.  It may be called twice
     */
    int (*detach_recover)(xenfork_ctx *ctx,
                          const struct xenfork__snapshot *snapshot,
                          bool *is_switched_out);
    bool is_moved;      /* a detach always makes it a raw file */
    const char *format; /* its paths are images of it, for qemu-img; or NULL */
    /*
     * Let a frozen source write to its disk again.  INUSE with remedy: clones
     * need @path
     */
    int (*thaw)(xenfork_ctx *ctx, const char *path);
    /* Close what calls have kept open for the next one.  NULL: nothing is */
    void (*hang_up)(xenfork_ctx *ctx);
    /* See xenfork_disk_usage(). */
    int (*usage)(xenfork_ctx *ctx, const char *path,
                 uint64_t *allocated_kib_out, uint64_t *own_kib_out);
};

extern const struct xenfork__disk_driver xenfork__disk_share;
extern const struct xenfork__disk_driver xenfork__disk_reflink;
extern const struct xenfork__disk_driver xenfork__disk_lvthin;
extern const struct xenfork__disk_driver xenfork__disk_plain;
extern const struct xenfork__disk_driver xenfork__disk_qcow2;
extern const struct xenfork__disk_driver xenfork__disk_vhd;
extern const struct xenfork__disk_driver xenfork__disk_thin;

/*
 * Refuse a disk: the error says that it cannot be forked, @why, and the way
 * out. DISK, not logged
 */
int xenfork__disk_refuse(xenfork_ctx *ctx, const struct xenfork__disk *disk,
                         const char *why, const char *remedy);
/*
 * Refuse a disk for the reason of the error just made, which keeps its code and
 * its way out.
 */
int xenfork__disk_refuse_so(xenfork_ctx *ctx, const struct xenfork__disk *disk);

/* For drivers of raw files and devices: disk/raw.c */
/* Refuse a disk.  DISK with text and remedy, not logged */
int xenfork__raw_refuse(xenfork_ctx *ctx, const struct xenfork__disk *disk,
                        const char *why);
int xenfork__raw_refuse_full(xenfork_ctx *ctx,
                             const struct xenfork__disk *disk);
/* Check that it is a file, or a device, of this host, served by blkback. */
int xenfork__raw_probe(xenfork_ctx *ctx, const struct xenfork__disk *disk,
                       bool *is_file_out);
bool xenfork__raw_has_script(const struct xenfork__disk *disk,
                             const char *name);
/* Return a path in ".xenfork" in the file's folder; caller frees. */
int xenfork__raw_path(xenfork_ctx *ctx, const char *path, const char *vdev,
                      const uint8_t uuid[16], const char *suffix,
                      char **path_out);

/* Remove a file, and with the last one the folder that was made for them. */
int xenfork__raw_remove(xenfork_ctx *ctx, const char *path);

/*
 * Note, or check, what a read-only disk is, which all clones share: this is
 * kept with the image, and with each clone.  DISK with remedy: it is another
 * one by now; before a clone starts again INUSE, and also if it was written to.
 * disk/share.c
 */
int xenfork__shared_note(xenfork_ctx *ctx, struct xenfork__record *record,
                         const struct xenfork__disk *disk);
int xenfork__shared_check(xenfork_ctx *ctx, const struct xenfork__record *image,
                          const struct xenfork__disk *disk);
int xenfork__shared_check_start(xenfork_ctx *ctx,
                                const struct xenfork__record *clone,
                                const struct xenfork__disk *disk);

/* See xenfork__xen_disk_served().  disk/served.c */
int xenfork__disk_is_served(xenfork_ctx *ctx, uint32_t domid, const char *vdev,
                            const char *path);

/* Return the driver of that name; NULL: there is none. */
const struct xenfork__disk_driver *xenfork__disk_driver(const char *name);
/*
 * Choose the driver of a disk: the one that the caller wants, or the first that
 * can fork the disk.  DISK with text and remedy, not logged: none.  NULL:
 * clones are without it
 */
int xenfork__disk_choose(xenfork_ctx *ctx, const xenfork_spec *spec,
                         const struct xenfork__disk *disk, bool is_frozen,
                         const struct xenfork__disk_driver **driver_out);
/*
 * Check the requests for disks.  DISK, not logged: a request for a disk that
 * does not exist
 */
int xenfork__disks_wishes(xenfork_ctx *ctx, const xenfork_spec *spec,
                          const struct xenfork__config *config);
/* Return the driver that a record or a journal names.  STATE: no such driver */
int xenfork__disk_of_record(xenfork_ctx *ctx, const char *name,
                            const struct xenfork__disk_driver **driver_out);
/* Note on which file system a disk is to be made, before it is journaled. */
int xenfork__disk_note_place(xenfork_ctx *ctx, const char *path);
/* Refuse a path that is absent because its file system is.  DISK */
int xenfork__disk_check_place(xenfork_ctx *ctx, const char *path);
/* Check the places of all disks of a record. */
int xenfork__disks_check_places(xenfork_ctx *ctx,
                                const struct xenfork__record *record);
/*
 * Remove a disk, by its driver.  Absent: success, unless its file system is
 * away, which is DISK.
 */
int xenfork__disk_remove(xenfork_ctx *ctx, const char *driver,
                         const char *path);
/* Return the driver that can shorten the disk's chain; NULL: none can. */
int xenfork__disk_collapser(xenfork_ctx *ctx, const struct xenfork__disk *disk,
                            const struct xenfork__disk_driver **driver_out);
/* See detach_recover. */
int xenfork__disk_detach_recover(xenfork_ctx *ctx, const char *driver,
                                 const struct xenfork__snapshot *snapshot,
                                 bool *is_switched_out);
/* See hang_up: all drivers. */
void xenfork__disks_hang_up(xenfork_ctx *ctx);
/* See abort; a driver that has none has its remove() called later. */
int xenfork__disk_abort(xenfork_ctx *ctx, const char *driver,
                        const struct xenfork__snapshot *snapshot);

/*
 * Add the bases-to-be to the image's record; journal and prepare them.
 * @journal, spec, config: of the fork; domid, is_frozen: of the source
 */
struct xenfork__disks_source {
    struct xenfork__journal *journal;
    const xenfork_spec *spec;
    const struct xenfork__config *config;
    uint32_t domid;
    bool is_frozen;
};
int xenfork__disks_prepare(xenfork_ctx *ctx,
                           const struct xenfork__disks_source *source,
                           struct xenfork__record *image);
int xenfork__disks_snapshot(xenfork_ctx *ctx, uint32_t domid,
                            const struct xenfork__record *image);
/* Check that a frozen source may write to its disks again.  INUSE */
int xenfork__disks_thaw(xenfork_ctx *ctx, const struct xenfork__config *config);
/*
 * Check that nothing is where the disk of a clone with a UUID that its user has
 * chosen is to be: to undo the fork would remove it.  EXISTS
 */
int xenfork__disk_check_new(xenfork_ctx *ctx,
                            const struct xenfork__disk_driver *driver,
                            const struct xenfork__disk *disk,
                            const uint8_t uuid[16]);
/* Check it of all disks that a clone of this image is to get. */
int xenfork__disks_check_new(xenfork_ctx *ctx, const xenfork_spec *spec,
                             const struct xenfork__config *config,
                             const struct xenfork__record *image,
                             const uint8_t uuid[16]);
/* Journal the disks that a clone is to get, called by this UUID. */
int xenfork__disks_announce(xenfork_ctx *ctx, struct xenfork__journal *journal,
                            const xenfork_spec *spec,
                            const struct xenfork__config *config,
                            const struct xenfork__record *image,
                            const uint8_t uuid[16]);
/*
 * Make those disks, and add them to the clone's record.  disks_out: one for
 * each of the configuration, its path owned by the record.  Caller frees the
 * array.
 */
int xenfork__disks_clone(xenfork_ctx *ctx, const xenfork_spec *spec,
                         const struct xenfork__config *config,
                         const struct xenfork__record *image,
                         struct xenfork__record *clone, const uint8_t uuid[16],
                         struct xenfork__clone_disk **disks_out);
/* Release the disks of a clone whose domain is gone: see release. */
int xenfork__disks_release(xenfork_ctx *ctx,
                           const struct xenfork__record *clone);
/*
 * Remove the disks of a record; a base is removed with the last overlay that
 * needs it.
 */
int xenfork__disks_remove(xenfork_ctx *ctx,
                          const struct xenfork__record *record);

#endif

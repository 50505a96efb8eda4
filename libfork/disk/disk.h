/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Disks of a fork: one driver for each, a transaction for all of them.
 * prepare while the source runs, cut while it does not (its rings drained),
 * then clones, as many and as late as wanted.  What a driver is about to make
 * is journaled before, under the driver's name: who rolls the journal back
 * calls abort, or remove.
 *
 * A path is whatever the driver calls a disk by, and libxl has in its record:
 * a file, a device, or what a block script makes one of.  It stays what it is
 * for a disk's whole life: a driver whose cut gives the source another file
 * sees to it that the same path leads to that.
 *
 * The graph: what is sealed is in the record of its image, a delta in that of
 * its clone.  Where deltas go on needing what is sealed (parent is not NULL),
 * each file says itself on what it lies, and disk/base.h keeps what outlives
 * its image until no delta leads to it.
 */
#ifndef LIBFORK_DISK_H
#define LIBFORK_DISK_H

#include "base/internal.h"
#include "base/spec.h"
#include "state/journal.h"
#include "state/record.h"
#include "xen/xen.h"

struct xenfork__collapse_request;
struct xenfork__detach_request;

/* One disk of a source, while that is forked. */
struct xenfork__cut {
    uint32_t domid;   /* XENFORK_DOMID_NONE: it is gone */
    const char *vdev; /* "xvda" */
    const char *from; /* the source's path */
    const char *to;   /* of what is sealed */
    bool is_frozen;   /* to be prepared: the source is, and stays so */
};

/* An operation that is NULL is one that the driver has no need of. */
struct xenfork__disk_driver {
    const char *name;
    const char *why;    /* one uses it, in a few words */
    const char *script; /* clones' disks need it; NULL: as the source's */
    bool takes_options; /* disk->options, checked by probe: INVAL */
    /* Of this kind: what probe says of it is final.  NULL: it cannot be told */
    bool (*owns)(xenfork_ctx *ctx, const struct xenfork__disk *disk);
    /*
     * Can it fork this disk?  DISK with text and remedy, not logged.
     * is_frozen: the source is, or is to be, frozen
     */
    int (*probe)(xenfork_ctx *ctx, const struct xenfork__disk *disk,
                 bool is_frozen);
    /* It can, but whoever else can does better.  NULL: it never yields */
    int (*yields)(xenfork_ctx *ctx, const struct xenfork__disk *disk,
                  bool is_frozen, bool *yields_out);
    /* How a domain's disk is called; caller frees.  NULL: as the source's */
    int (*path)(xenfork_ctx *ctx, const struct xenfork__disk *disk,
                const uint8_t uuid[16], char **path_out);
    /* The source runs: whatever takes time. */
    int (*prepare)(xenfork_ctx *ctx, const struct xenfork__cut *cut);
    /* The source does not run: @to is sealed. */
    int (*cut)(xenfork_ctx *ctx, const struct xenfork__cut *cut);
    /*
     * Of a driver whose cut switches the source to another file or device:
     * all is as before prepare, wherever that or the cut has come to; in the
     * stun, or after it while the source runs, is frozen, or is gone.  It may
     * be called twice.  NULL: remove(@to) is all that it takes
     */
    int (*abort)(xenfork_ctx *ctx, const struct xenfork__cut *cut);
    /* A delta of its own for a clone. */
    int (*clone)(xenfork_ctx *ctx, const char *from, const char *to);
    /* What cut or clone made, or had begun.  Absent already: success */
    int (*remove)(xenfork_ctx *ctx, const char *path);
    /*
     * The clone's domain is gone: what has served @path goes, if the script
     * could not see to that.  NULL: it always does
     */
    int (*release)(xenfork_ctx *ctx, const char *path);
    /*
     * Of deltas that go on needing what is sealed: what this one lies on.
     * Caller frees; NULL: nothing.  NOTFOUND, not logged: there is no @path
     */
    int (*parent)(xenfork_ctx *ctx, const char *path, char **parent_out);
    /*
     * In the background, under the source's lock, again and again: a step
     * towards a shorter chain of the source.  It never waits: what takes time
     * goes on while the lock is free, and the next fork stops it.  again_out:
     * there is more to come.  to_out: nothing lies on this any more but the
     * source, and abort() can put it back; caller frees
     */
    int (*collapse)(xenfork_ctx *ctx,
                    const struct xenfork__collapse_request *request,
                    bool *again_out, char **to_out);
    /*
     * The same, without that lock, after each such step: it may take long.
     * Nobody else does it meanwhile.  again_out: set, or left as it is
     */
    int (*merge)(xenfork_ctx *ctx,
                 const struct xenfork__collapse_request *request,
                 bool *again_out);
    /*
     * Whatever it lies on is needed no more; while the domain runs, step by
     * step, see disk/detach.h, under its lock.  Stopped half-way it is as good
     * as before, and goes on when called again.  Where @to is set the domain
     * uses that from now on; what there was is removed after that.  DISK: it
     * cannot be moved while it runs.  NULL: it lies on nothing, and cannot be
     * moved while it runs
     */
    int (*detach)(xenfork_ctx *ctx,
                  const struct xenfork__detach_request *request);
    /*
     * What a killed detach has begun under a journal, in the words of a cut:
     * as before, or gone over.  is_switched_out: the domain uses @to.  It may
     * be called twice
     */
    int (*detach_settle)(xenfork_ctx *ctx, const struct xenfork__cut *cut,
                         bool *is_switched_out);
    bool is_moved;      /* detached it becomes a raw file, whatever is asked */
    const char *format; /* its paths are images of it, for qemu-img; or NULL */
    /* A frozen source is to run on.  INUSE with remedy: clones need @path */
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

/* For drivers of raw files and devices: disk/raw.c */
/* DISK with text and remedy, not logged */
int xenfork__raw_refuse(xenfork_ctx *ctx, const struct xenfork__disk *disk,
                        const char *why);
int xenfork__raw_refuse_full(xenfork_ctx *ctx,
                             const struct xenfork__disk *disk);
/* Is it a file, or a device, of this host's, served by blkback? */
int xenfork__raw_probe(xenfork_ctx *ctx, const struct xenfork__disk *disk,
                       bool *is_file_out);
bool xenfork__raw_has_script(const struct xenfork__disk *disk,
                             const char *name);
/* A name in ".xenfork" beside the file; caller frees. */
int xenfork__raw_path(xenfork_ctx *ctx, const char *path, const char *vdev,
                      const uint8_t uuid[16], const char *suffix,
                      char **path_out);

/* A file, and the folder that was made for it with the last in there. */
int xenfork__raw_remove(xenfork_ctx *ctx, const char *path);

/*
 * A read-only disk is the same for everybody: what it is, is kept with the
 * image, and with each clone.  DISK with remedy: it is another one by now;
 * before a clone starts again INUSE, and also if it was written to.
 * disk/share.c
 */
int xenfork__shared_note(xenfork_ctx *ctx, struct xenfork__node *node,
                         const struct xenfork__disk *disk);
int xenfork__shared_check(xenfork_ctx *ctx, const struct xenfork__node *image,
                          const struct xenfork__disk *disk);
int xenfork__shared_check_start(xenfork_ctx *ctx,
                                const struct xenfork__node *clone,
                                const struct xenfork__disk *disk);

/* See xenfork__xen_disk_served().  disk/served.c */
int xenfork__disk_is_served(xenfork_ctx *ctx, uint32_t domid, const char *vdev,
                            const char *path);

/* The driver of that name; NULL: there is none. */
const struct xenfork__disk_driver *xenfork__disk_driver(const char *name);
/*
 * The driver of a disk: the one that the caller wants, or the first that can.
 * DISK with text and remedy, not logged: none.  NULL: clones are without it
 */
int xenfork__disk_choose(xenfork_ctx *ctx, const xenfork_spec *spec,
                         const struct xenfork__disk *disk, bool is_frozen,
                         const struct xenfork__disk_driver **driver_out);
/* DISK, not logged: the caller wants something for a disk that is not there */
int xenfork__disks_wishes(xenfork_ctx *ctx, const xenfork_spec *spec,
                          const struct xenfork__config *config);
/* By the name that a record or a journal has.  STATE: no such driver */
int xenfork__disk_of_record(xenfork_ctx *ctx, const char *name,
                            const struct xenfork__disk_driver **driver_out);
int xenfork__disk_remove(xenfork_ctx *ctx, const char *driver,
                         const char *path);
/* The one that can shorten its chain; NULL: there is nothing to shorten. */
int xenfork__disk_collapser(xenfork_ctx *ctx, const struct xenfork__disk *disk,
                            const struct xenfork__disk_driver **driver_out);
/* See detach_settle. */
int xenfork__disk_detach_settle(xenfork_ctx *ctx, const char *driver,
                                const struct xenfork__cut *cut,
                                bool *is_switched_out);
/* See hang_up: all drivers. */
void xenfork__disks_hang_up(xenfork_ctx *ctx);
/* See abort; a driver that has none has its remove() called later. */
int xenfork__disk_abort(xenfork_ctx *ctx, const char *driver,
                        const struct xenfork__cut *cut);

/*
 * Add to the image's node what is to be sealed; journal and prepare it.
 * txn, spec, config: of the fork; domid, is_frozen: of the source
 */
struct xenfork__disks_source {
    struct xenfork__txn *txn;
    const xenfork_spec *spec;
    const struct xenfork__config *config;
    uint32_t domid;
    bool is_frozen;
};
int xenfork__disks_prepare(xenfork_ctx *ctx,
                           const struct xenfork__disks_source *source,
                           struct xenfork__node *image);
int xenfork__disks_cut(xenfork_ctx *ctx, uint32_t domid,
                       const struct xenfork__node *image);
/* May a frozen source write to its disks again?  INUSE */
int xenfork__disks_thaw(xenfork_ctx *ctx, const struct xenfork__config *config);
/*
 * Disks for a clone, added to its node.  disks_out: one for each of the
 * configuration, its path owned by the node.  Caller frees the array.
 */
int xenfork__disks_clone(xenfork_ctx *ctx, struct xenfork__txn *txn,
                         const xenfork_spec *spec,
                         const struct xenfork__config *config,
                         const struct xenfork__node *image,
                         struct xenfork__node *clone,
                         struct xenfork__clone_disk **disks_out);
/* Of a clone whose domain is gone: see release. */
int xenfork__disks_release(xenfork_ctx *ctx, const struct xenfork__node *clone);
/* Remove the disks of a node; what others need goes with the last of them. */
int xenfork__disks_remove(xenfork_ctx *ctx, const struct xenfork__node *node);

#endif

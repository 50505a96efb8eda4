/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * xenfork: fork a Xen domain as fork(2) forks a process.
 *
 * Words.  The *source* is the domain that is forked.  The *image* is a domain
 * that never runs and holds the source's memory and vCPU state at the instant
 * of the fork.  A *clone* is a domain made from an image.
 *
 * Conventions.  Functions that can fail return 0 or a negative XENFORK_E_*;
 * outputs come last and are untouched on failure.  A block's "Errors:" names
 * those on which a caller can act; besides, any call that takes a context can
 * fail for reasons outside of it: NOMEM, PERM, XEN, STATE, NOSPC, IO.  A
 * heading that has nothing to say is left out.
 *
 * Sources go by domid: any domain can be one.  Clones and images go by name:
 * the name that they have today, their UUID, or their domid in decimal.
 *
 * Objects.  A constructor (xenfork_open(), xenfork_*_new(), xenfork_*_open(),
 * xenfork_fork(), xenfork_clone_reset()) returns an object that the caller
 * frees.  Everything else belongs to its parent and lives as long as it: a
 * const pointer that a getter returns, be it an object or a string, is valid
 * until the object that was asked, or one that it is a part of, is freed.
 * Getters are nouns and cannot fail.  For an index that does not exist they
 * return NULL; every getter accepts NULL for the object, and then returns NULL,
 * 0, or XENFORK_DOMID_NONE.  So a chain of getters needs one check, at its end.
 * Any other function answers NULL, where it needs an object, a name or a place
 * for its output, with INVAL; the context itself must be there.
 *
 * A context may be used by one thread at a time, except for xenfork_cancel();
 * lists, checks and results are read only, and need no context but to be made.
 * The library prints nothing, never exits, and installs no signal handler.
 *
 * The process.  Nothing of it is changed but by libdevmapper, which has two
 * settings for a whole process, and only while a call is on a disk of the
 * driver thin: where messages go (unless the process has set that itself), and
 * for the moment in which a device is resumed, that libdevmapper does not wait
 * for udev.  Both are put back.  A process that uses libdevmapper in another
 * thread meanwhile should not rely on them.
 */
#ifndef XENFORK_H
#define XENFORK_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct xentoollog_logger;

typedef struct xenfork_ctx xenfork_ctx;
typedef struct xenfork_spec xenfork_spec;
typedef struct xenfork_check xenfork_check;
typedef struct xenfork_result xenfork_result;
typedef struct xenfork_list xenfork_list;
typedef struct xenfork_memory xenfork_memory;
typedef struct xenfork_finding xenfork_finding; /* of a check */
typedef struct xenfork_clone xenfork_clone;     /* of a result */
typedef struct xenfork_entry xenfork_entry;     /* of a list */
typedef struct xenfork_disk xenfork_disk;       /* of a check, an entry */
typedef struct xenfork_nic xenfork_nic;         /* of a clone, an entry */
typedef struct xenfork_domain xenfork_domain;   /* of the host's memory */

#define XENFORK_DOMID_NONE UINT32_MAX /* no such domain (any more) */
#define XENFORK_ALL        UINT32_MAX /* every clone; or the fork itself */
#define XENFORK_MAX_CLONES 1024U      /* clones that one call makes, at most */

/* Errors.  Released values never change. */
#define XENFORK_E_NOMEM       (-1)  /* this process is out of memory */
#define XENFORK_E_INVAL       (-2)  /* an argument is malformed */
#define XENFORK_E_PERM        (-3)  /* not root, or not a control domain */
#define XENFORK_E_NOTFOUND    (-4)  /* no such domain, image or clone */
#define XENFORK_E_XEN         (-5)  /* a call to Xen or its tools failed */
#define XENFORK_E_HYPERVISOR  (-6)  /* its memory cannot be shared by Xen */
#define XENFORK_E_PV          (-7)  /* PV guests cannot be forked */
#define XENFORK_E_HVM         (-8)  /* such an HVM guest cannot be forked */
#define XENFORK_E_PASSTHROUGH (-9)  /* the domain has a passthrough device */
#define XENFORK_E_NOSUSPEND   (-10) /* the guest cannot be brought to rest */
#define XENFORK_E_TIMEOUT     (-11) /* no suspension, or no ack, in time */
#define XENFORK_E_NAMETAKEN   (-12) /* a domain has the name already */
#define XENFORK_E_MACTAKEN    (-13) /* a domain has the MAC already */
#define XENFORK_E_UUIDTAKEN   (-14) /* a domain has the UUID already */
#define XENFORK_E_HOSTMEM     (-15) /* not enough free host memory */
#define XENFORK_E_INUSE       (-16) /* a disk, image or clone is in use */
#define XENFORK_E_DISK        (-17) /* a disk cannot be forked or moved */
#define XENFORK_E_DEVICE      (-18) /* another device cannot be forked */
#define XENFORK_E_NOTRUNNING  (-19) /* the domain is shut down or dying */
#define XENFORK_E_BUSY        (-20) /* another operation is on the domain */
#define XENFORK_E_CANCELLED   (-21) /* xenfork_cancel() was called */
#define XENFORK_E_STATE       (-22) /* the state directory is unusable */
#define XENFORK_E_NOTOURS     (-23) /* no image or clone of xenfork's */
#define XENFORK_E_RESIDUE     (-24) /* failed, and undoing it failed too */
#define XENFORK_E_NOTFROZEN   (-25) /* the domain is not frozen */
#define XENFORK_E_NOTADAPTED  (-26) /* a clone could not adapt to the fork */
#define XENFORK_E_NOSPC       (-27) /* no space is left for a disk or record */
#define XENFORK_E_EXISTS      (-28) /* a file is in the way */
#define XENFORK_E_IO          (-29) /* this host's kernel or a program failed */

/* Stages of a fork, in order; also the phases that are timed. */
#define XENFORK_STAGE_NONE    0
#define XENFORK_STAGE_CHECK   1  /* arguments, domain, disks, names */
#define XENFORK_STAGE_RESERVE 2  /* image domain made, memory reserved */
#define XENFORK_STAGE_PREPARE 3  /* what can be done while the source runs */
#define XENFORK_STAGE_SUSPEND 4  /* the guest goes to suspension */
#define XENFORK_STAGE_CAPTURE 5  /* vCPU state and special pages read */
#define XENFORK_STAGE_DISKS   6  /* rings drained, snapshots of disks taken */
#define XENFORK_STAGE_SHARE   7  /* memory shared with the image */
#define XENFORK_STAGE_RESUME  8  /* the source runs on */
#define XENFORK_STAGE_SEAL    9  /* image written to the state directory */
#define XENFORK_STAGE_CREATE  10 /* per clone: domain made */
#define XENFORK_STAGE_FORK    11 /* per clone: memory forked */
#define XENFORK_STAGE_ATTACH  12 /* per clone: NICs held or connected */
#define XENFORK_STAGE_UNPAUSE 13 /* per clone: starts to run */
#define XENFORK_STAGE_HYDRATE 14 /* background: clone made independent */
#define XENFORK_STAGE_STUN    15 /* a sum: asked to suspend until it runs */
#define XENFORK_STAGE_TOTAL   16 /* a sum: the whole call, or one clone */
#define XENFORK_STAGE_READY   17 /* per clone: runs until acknowledged */
#define XENFORK_STAGE_DETACH  18 /* background: all of a clone its own */
#define XENFORK_STAGE_PAUSES  19 /* a sum: the source's pauses in PREPARE */
#define XENFORK_STAGES        20

/* Counters of a fork. */
#define XENFORK_COUNT_PAGES_SHARED   0 /* source pages shared with the image */
#define XENFORK_COUNT_PAGES_COPIED   1 /* source pages that had to be copied */
#define XENFORK_COUNT_HYPERCALLS     2 /* memory operations, batched or not */
#define XENFORK_COUNT_PROCESSES      3 /* started by us; libxl's not counted */
#define XENFORK_COUNT_XENSTORE_OPS   4 /* done by us; libxl's not counted */
#define XENFORK_COUNT_XENSTORE_WAITS 5 /* times that we waited for them */
#define XENFORK_COUNT_ROUNDS         6 /* of sharing while the source runs */
#define XENFORK_COUNT_PAGES_AGAIN    7 /* replaced: written since they were */
#define XENFORK_COUNT_PAGES_LAST     8 /* written or left for the stun */
#define XENFORK_COUNTS               9

/**
 * Open a context: the handles to Xen and to the state directory.
 *
 * @ctx_out  the context.
 * @logger   the caller's logger; NULL: no messages.
 * @flags    none defined: 0.
 * Return:   0, or a negative XENFORK_E_*.
 * Errors:   INVAL unknown flag; NOMEM; PERM Xen's interfaces cannot be opened.
 * Ownership: the caller closes it, with xenfork_close(), before @logger.
 * Effects:  none outside this process.
 * Blocking: no.
 * Source:   libxl_ctx_alloc, tools/include/libxl.h, Xen 4.17.
 * Since:    0.1
 */
int xenfork_open(xenfork_ctx **ctx_out, struct xentoollog_logger *logger,
                 uint32_t flags);

/** Close a context.  NULL is accepted.  Since: 0.1 */
void xenfork_close(xenfork_ctx *ctx);

/**
 * Ask a running operation to stop at its next stage, and to undo.
 *
 * @ctx      the context that the operation runs on.
 * Effects:  the operation returns XENFORK_E_CANCELLED; ignored when it is
 *           past its last cancellable stage.  Cleared when the next one starts.
 * Blocking: no; may be called from a signal handler or another thread.
 * Since:    0.1
 */
void xenfork_cancel(xenfork_ctx *ctx);

/**
 * Progress: called between stages, and some 100 times within a long one.
 *
 * @opaque  as given to xenfork_set_progress().
 * @stage   XENFORK_STAGE_*.
 * @clone   index of the clone; XENFORK_ALL: the fork itself.
 * @done    units done (SHARE: pages).
 * @total   units in all; 0: not known.
 */
typedef void xenfork_progress_fn(void *opaque, int stage, uint32_t clone,
                                 uint64_t done, uint64_t total);

/** Set the progress callback; NULL: none.  Since: 0.1 */
void xenfork_set_progress(xenfork_ctx *ctx, xenfork_progress_fn *progress,
                          void *opaque);

/*
 * Return the last error of this context.  It is valid after a function has
 * returned a negative value, until the next call.  Text: one line, no final
 * stop, names the thing that failed, and ends with what errno means; errno: 0
 * when there is none.  Since: 0.1
 */
int xenfork_error_code(const xenfork_ctx *ctx);
int xenfork_error_stage(const xenfork_ctx *ctx);
int xenfork_error_errno(const xenfork_ctx *ctx);
uint32_t xenfork_error_domid(const xenfork_ctx *ctx);
const char *xenfork_error_text(const xenfork_ctx *ctx);
/* Return what the user can do about it; "" when there is nothing to say. */
const char *xenfork_error_remedy(const xenfork_ctx *ctx);

/**
 * Agree to what the last call has asked about: xenfork_clone_start() and
 * xenfork_clone_destroy() refuse with INUSE and one reason at a time.
 *
 * @ctx      the context that it failed on.
 * Return:   0, or a negative XENFORK_E_*.
 * Errors:   INVAL the last call failed with no question, or not at all; NOMEM.
 *           The last error stays.
 * Effects:  the same call, made next, goes past a reason that has this very
 *           text, and asks the next question, if there is one.  What was agreed
 *           to before counts, too, until a call is made without agreeing first.
 * Blocking: no.
 * Source:   the error's text.
 * Since:    0.1
 */
int xenfork_agree(xenfork_ctx *ctx);

/** Return a code's name, "NOTFOUND"; "UNKNOWN" for others.  Since: 0.1 */
const char *xenfork_code_name(int code);
/** Return a stage's name, "suspend"; "unknown" for others.  Since: 0.1 */
const char *xenfork_stage_name(int stage);
/** Return a counter's name, "pages_shared".  Since: 0.1 */
const char *xenfork_count_name(int counter);

/**
 * Find a domain by name or by number, as xl does.
 *
 * @name       name, or domid in decimal.
 * @domid_out  its domid.
 * Return:     0, or a negative XENFORK_E_*.
 * Errors:     NOTFOUND; NOTOURS by this name a clone or an image is recorded
 *             that is another domain.
 * Effects:    records get the names that clones and images have today.
 * Blocking:   no.
 * Source:     libxl_domain_qualifier_to_domid, Xen 4.17.
 * Since:      0.1
 */
int xenfork_find(xenfork_ctx *ctx, const char *name, uint32_t *domid_out);

/*
 * The request for a fork.  A spec starts with these defaults: names SOURCE-1,
 * SOURCE-2 and so on, without those that are taken; random UUIDs and MACs; the
 * source's bridges; NICs held until the agent in the clone has acknowledged; no
 * parameters; clones started; 25 % reserved; 30 s to reach suspension.
 */
#define XENFORK_LINK_HOLD    0 /* forwards nothing */
#define XENFORK_LINK_CONNECT 1 /* forwards from the start */
#define XENFORK_LINK_AUTO    2 /* held until the clone has acknowledged */

#define XENFORK_QUIESCE_AUTO  0 /* stopped or suspended, as the guest is */
#define XENFORK_QUIESCE_PAUSE 1 /* stopped where it is, or refused */

#define XENFORK_MAX_PARAMS      64U   /* of a clone */
#define XENFORK_MAX_PARAM_KEY   64U   /* bytes */
#define XENFORK_MAX_PARAM_VALUE 1024U /* bytes */

/*
 * Clones are hydrated in the background, at once.  With _NO_HYDRATE they go on
 * needing the image until xenfork_hydrate(); with _AUTO_HYDRATE until then, or
 * until the image is to be destroyed, or the clone detached.
 */
#define XENFORK_FORK_NO_HYDRATE   (1U << 0)
#define XENFORK_FORK_AUTO_HYDRATE (1U << 5) /* without _NO_HYDRATE */
#define XENFORK_FORK_KEEP_IMAGE   (1U << 1) /* the image outlives its clones */
/*
 * xenforkd removes the clones, disks and all, when they power off or are
 * destroyed; with _CRASH when they crash, too.
 */
#define XENFORK_FORK_EPHEMERAL (1U << 2)
/* Only with XENFORK_FORK_EPHEMERAL. */
#define XENFORK_FORK_EPHEMERAL_CRASH (1U << 3)
/* A stun longer than xenfork_spec_set_max_stun_ms() is no reason to fail. */
#define XENFORK_FORK_STUN_ANYWAY (1U << 4)

/**
 * Make a spec for @count clones.
 *
 * @count     1 to XENFORK_MAX_CLONES.
 * @spec_out  the spec.
 * Return:    0, or a negative XENFORK_E_*.
 * Errors:    INVAL count out of range; NOMEM.
 * Ownership: the caller frees it, with xenfork_spec_free().
 * Effects:   none.
 * Blocking:  no.
 * Since:     0.1
 */
int xenfork_spec_new(uint32_t count, xenfork_spec **spec_out);
/** Free a spec.  NULL is accepted.  Since: 0.1 */
void xenfork_spec_free(xenfork_spec *spec);

/*
 * Setters of a spec.  @clone is an index from 0; XENFORK_ALL where the value
 * can be the same for all.  @nic is the index of the NIC in the source's
 * configuration.  All copy what they are given, have no effect outside the
 * spec, do not block, and return 0, XENFORK_E_INVAL (index out of range,
 * malformed value) or XENFORK_E_NOMEM.  Since: 0.1
 */
/*
 * Set the name: 1 to 63 characters out of [A-Za-z0-9._-], not all digits, no
 * '-' first.
 */
int xenfork_spec_set_name(xenfork_spec *spec, uint32_t clone, const char *name);
/* Set the UUID, which is not all zero. */
int xenfork_spec_set_uuid(xenfork_spec *spec, uint32_t clone,
                          const uint8_t uuid[16]);
/* Set a NIC's MAC: unicast, not all zero; for one clone only. */
int xenfork_spec_set_nic_mac(xenfork_spec *spec, uint32_t clone, uint32_t nic,
                             const uint8_t mac[6]);
/*
 * Set the first three bytes of random MACs; unicast, not all zero.  By default
 * 00:16:3e.
 */
int xenfork_spec_set_mac_prefix(xenfork_spec *spec, const uint8_t prefix[3]);
/*
 * Set a NIC's bridge: 1 to 15 characters, no white space, '/' or ':', not "."
 * or "..".
 */
int xenfork_spec_set_nic_bridge(xenfork_spec *spec, uint32_t clone,
                                uint32_t nic, const char *bridge);
/*
 * Set the address that the NIC's script routes to it, as ip= in xl.cfg(5); for
 * one clone only.
 */
int xenfork_spec_set_nic_ip(xenfork_spec *spec, uint32_t clone, uint32_t nic,
                            const char *ip);
/* Set a NIC's link.  @nic: XENFORK_ALL for every NIC; @link: XENFORK_LINK_*. */
int xenfork_spec_set_nic_link(xenfork_spec *spec, uint32_t clone, uint32_t nic,
                              int link);
/*
 * Set a parameter that this clone alone reads, in fork/params/KEY of its part
 * of xenstore.  @key: 1 to 64 out of [A-Za-z0-9._-], no '.' first; @value: at
 * most 1024 bytes.  At most 64 keys; the same key again replaces its value.
 */
int xenfork_spec_set_param(xenfork_spec *spec, uint32_t clone, const char *key,
                           const char *value);
/*
 * Return what is wrong with the value of a parameter that xenfork-agent itself
 * uses (hostname, ip, ip.INTERFACE, gateway, nameserver); NULL: nothing, or the
 * agent does not use such a parameter.  xenfork_spec_set_param() refuses the
 * same.
 */
const char *xenfork_param_fault(const char *key, const char *value);
/*
 * Set how a disk of all clones is made: "auto", the default: by the driver that
 * fits it; "none": the clones do not have it; "share": as the source has it,
 * read-only disks only; or by this driver, with its options: "reflink", "thin",
 * "lvthin", "qcow2", "vhd:max-depth=32".  @vdev: "xvda".
 */
int xenfork_spec_set_disk(xenfork_spec *spec, const char *vdev,
                          const char *how);
/* Set whether the clone stays paused: nonzero. */
int xenfork_spec_set_paused(xenfork_spec *spec, uint32_t clone, int is_paused);
/* Set the reservation of each clone, per cent of its memory, 0 to 100. */
int xenfork_spec_set_reserve_percent(xenfork_spec *spec, uint32_t percent);
/*
 * Set the reservation in KiB; more than the domain's memory counts as all of
 * it.
 */
int xenfork_spec_set_reserve_kib(xenfork_spec *spec, uint64_t reserve_kib);
/*
 * Set how much is reserved of what a source shares with its image, per cent, 0
 * to 100; by default 100.  A lower value counts only for a source that
 * xenforkd listens to, which waits when it finds no memory, where it would
 * crash otherwise; and not for a clone that is forked.
 */
int xenfork_spec_set_source_reserve(xenfork_spec *spec, uint32_t percent);
/*
 * Set how much of the host's memory is to be left free, beside what is
 * reserved; otherwise the fork fails with HOSTMEM.  By default 0 KiB.
 */
int xenfork_spec_set_leave_kib(xenfork_spec *spec, uint64_t leave_kib);
/*
 * Set the clones' priority, 0 to XENFORK_MAX_PRIORITY, by default 50: when the
 * host has little memory xenforkd pauses clones of lower priority first.
 */
#define XENFORK_MAX_PRIORITY 99
int xenfork_spec_set_priority(xenfork_spec *spec, uint32_t priority);
/*
 * Set how the guest is brought to rest.  XENFORK_QUIESCE_AUTO, the default: it
 * is asked to suspend; or, where it uses nothing of Xen's, stopped where it is.
 * XENFORK_QUIESCE_PAUSE: it is stopped, and never made to run, or the fork is
 * refused.
 */
int xenfork_spec_set_quiesce(xenfork_spec *spec, int how);
/* Set the longest wait for suspension, 1 to 3600000 ms. */
int xenfork_spec_set_timeout_ms(xenfork_spec *spec, uint32_t timeout_ms);
/*
 * Set how long a running source may stand still, 1 to 3600000 ms; by default as
 * long as it takes, and its memory is shared until some 20 ms are left.  If it
 * would be longer the fork fails with BUSY: before the source is suspended, as
 * far as that is known by then, otherwise as soon as it is.
 */
int xenfork_spec_set_max_stun_ms(xenfork_spec *spec, uint32_t max_stun_ms);
/*
 * Set how much of the time a running source is left alone while its memory is
 * shared, in per cent, 0 (the fork is as fast as it can be) to 95; by default
 * 50.
 */
int xenfork_spec_set_pace(xenfork_spec *spec, uint32_t percent);
/* Set XENFORK_FORK_*; unknown bits, and _CRASH alone, are INVAL. */
int xenfork_spec_set_flags(xenfork_spec *spec, uint32_t flags);

/**
 * Find every reason why a domain cannot be forked now.
 *
 * @domid      the domain.
 * @spec       what would be made; NULL: one clone by default.
 * @check_out  the findings; none: it can be forked.
 * Return:     0, or a negative XENFORK_E_* when the check could not be made.
 * Errors:     INVAL domain 0; NOTFOUND; BUSY xenforkd has paused it because
 *             the host has little memory.
 * Ownership:  the caller frees the check, with xenfork_check_free(); its
 *             findings, disks and their strings belong to it.
 * Effects:    none.
 * Blocking:   no.
 * Source:     what xenfork_fork() checks first.
 * Since:      0.1
 */
int xenfork_check_open(xenfork_ctx *ctx, uint32_t domid,
                       const xenfork_spec *spec, xenfork_check **check_out);
/** Free a check, and all that belongs to it.  NULL is accepted.  Since: 0.1 */
void xenfork_check_free(xenfork_check *check);

/* Return the findings of a check; they belong to it.  Since: 0.1 */
uint32_t xenfork_check_finding_count(const xenfork_check *check);
const xenfork_finding *xenfork_check_finding(const xenfork_check *check,
                                             uint32_t index);
/* Return a finding's XENFORK_E_*, its text, and the way out, or "". */
int xenfork_finding_code(const xenfork_finding *finding);
const char *xenfork_finding_text(const xenfork_finding *finding);
const char *xenfork_finding_remedy(const xenfork_finding *finding);
/*
 * Return the disks that can be forked; they belong to the check.  Each has a
 * name, a driver ("share": clones have the same; "none": they are without it),
 * and a reason for the driver.  Since: 0.1
 */
uint32_t xenfork_check_disk_count(const xenfork_check *check);
const xenfork_disk *xenfork_check_disk(const xenfork_check *check,
                                       uint32_t index);

/**
 * Fork a running domain.  The source goes on running.
 *
 * @domid       the source; paused before means paused after (it runs for the
 *              moment that it needs to reach suspension, unless the spec's
 *              quiescing is XENFORK_QUIESCE_PAUSE, or it uses nothing of Xen's
 *              that a copy of a paused domain would not have).
 * @spec        what to make.
 * @result_out  what was made.
 * Return:      0, or a negative XENFORK_E_*.
 * Errors:      INVAL no spec, or domain 0; NOTFOUND; HYPERVISOR, PV, HVM,
 *              PASSTHROUGH, NOSUSPEND, DEVICE, DISK the source cannot be
 *              forked, as xenfork_check_open() tells in full; NOTRUNNING;
 *              NAMETAKEN, MACTAKEN, UUIDTAKEN what the spec asks for is taken;
 *              EXISTS a forgotten clone with that UUID has left a disk;
 *              HOSTMEM ask for fewer clones or less reserve; NOSPC make room
 *              for disks and records; BUSY try again; TIMEOUT the guest has
 *              not reached suspension; CANCELLED; RESIDUE undoing left
 *              something, xenfork_recover() tries again.
 * Ownership:   the caller frees the result, with xenfork_result_free().  The
 *              domains stay.
 * Effects:     on failure none: the source runs as before, nothing that was
 *              begun stays.  The same after a kill of the calling process: a
 *              helper process (xenfork-keeper) undoes what was begun.  After
 *              success the helper stays while clones or image need it.
 * Blocking:    yes: seconds; for suspension at most the spec's timeout.
 * Source:      XENMEM_sharing_op_fork, xen/include/public/memory.h;
 *              docs/specs/libxl-migration-stream.pandoc; Xen 4.17.
 * Since:       0.1
 */
int xenfork_fork(xenfork_ctx *ctx, uint32_t domid, const xenfork_spec *spec,
                 xenfork_result **result_out);
/** Free a result.  NULL is accepted.  Since: 0.1 */
void xenfork_result_free(xenfork_result *result);

/**
 * Freeze a domain: bring it to suspension, and leave it there.
 *
 * Forks of a frozen domain are all made from one image, which the first of
 * them makes; all clones resume from the instant of the freeze.
 *
 * @domid       the domain; frozen already: success.
 * @timeout_ms  longest wait for suspension, 1 to 3600000 ms.
 * Return:      0, or a negative XENFORK_E_*.
 * Errors:      NOTFOUND; those of xenfork_fork() that are about the source;
 *              BUSY; TIMEOUT; CANCELLED; RESIDUE.
 * Effects:     it executes nothing until xenfork_thaw().  Destroyed, or made
 *              to run otherwise, it is frozen no more.  On failure, or when
 *              the caller is killed: it runs as before.  A guest that asked
 *              by data/fork/freeze is answered there.
 * Blocking:    yes, up to timeout_ms.
 * Source:      libxl_domain_suspend_only, Xen 4.17.
 * Since:       0.1
 */
int xenfork_freeze(xenfork_ctx *ctx, uint32_t domid, uint32_t timeout_ms);

/**
 * Let a frozen domain run on.
 *
 * @domid    the domain.
 * Return:   0, or a negative XENFORK_E_*.
 * Errors:   NOTFOUND; NOTFROZEN; BUSY; RESIDUE call again; INUSE its disk has
 *           become a base, which an image or overlays need as it is.
 * Effects:  it runs on as if it had never been suspended; paused before the
 *           freeze means paused after.  Its image goes as soon as no clone
 *           needs it.  When it fails half-way, it can be repeated.
 * Blocking: yes: below a second.
 * Source:   libxl_domain_resume, Xen 4.17.
 * Since:    0.1
 */
int xenfork_thaw(xenfork_ctx *ctx, uint32_t domid);

/* Return what a fork made; clones and strings belong to it.  Since: 0.1 */
uint32_t xenfork_result_image_domid(const xenfork_result *result);
const char *xenfork_result_image_name(const xenfork_result *result);
uint32_t xenfork_result_clone_count(const xenfork_result *result);
const xenfork_clone *xenfork_result_clone(const xenfork_result *result,
                                          uint32_t index);
/* Return the nanoseconds that a stage of the fork took. */
uint64_t xenfork_result_ns(const xenfork_result *result, int stage);
/* Return a counter, XENFORK_COUNT_*. */
uint64_t xenfork_result_counter(const xenfork_result *result, int counter);
/*
 * Return memory in KiB: reserved for what the clones write; what they may
 * write, which is all of their memory; reserved for the source, 0 where an
 * image was forked.  A clone that is not hydrated has more in reserve.
 */
#define XENFORK_RESULT_RESERVED  0
#define XENFORK_RESULT_MAY_WRITE 1
#define XENFORK_RESULT_SOURCE    2
#define XENFORK_RESULT_KINDS     3
uint64_t xenfork_result_kib(const xenfork_result *result, int what);

/* Return a clone's parts; all belong to the result.  Since: 0.1 */
uint32_t xenfork_clone_domid(const xenfork_clone *clone);
const char *xenfork_clone_name(const xenfork_clone *clone);
/* Return the UUID in the usual form with dashes, lower case. */
const char *xenfork_clone_uuid(const xenfork_clone *clone);
/* Return the generation: random, new for each clone; it acknowledges that. */
const char *xenfork_clone_generation(const xenfork_clone *clone);
/*
 * Return what xenfork_wait_ready() has seen.  Nonzero: the clone has
 * acknowledged; it has reseeded its random numbers, which it may have done
 * without acknowledging.
 */
int xenfork_clone_is_ready(const xenfork_clone *clone);
int xenfork_clone_is_reseeded(const xenfork_clone *clone);
/*
 * Return why the clone has not adapted, in its own words, "STEP: REASON"; NULL:
 * it has said nothing.  Printable ASCII, below 256 bytes.
 */
const char *xenfork_clone_error(const xenfork_clone *clone);
/*
 * Return why the clone was made by libxl's restore, in a few words, as "it
 * has SPICE"; NULL: it was made without that, in a fraction of the time.  The
 * clones are the same otherwise.  The text lives for ever.
 */
const char *xenfork_clone_why_libxl(const xenfork_clone *clone);
uint32_t xenfork_clone_nic_count(const xenfork_clone *clone);
const xenfork_nic *xenfork_clone_nic(const xenfork_clone *clone,
                                     uint32_t index);
/*
 * Return the nanoseconds that a stage took for this clone: its part of them,
 * where several were made side by side.
 */
uint64_t xenfork_clone_ns(const xenfork_clone *clone, int stage);

/**
 * Wait until every clone of a fork has acknowledged: its agent has adapted
 * it to what it is now, and written its generation to data/fork/ack.
 *
 * @result      of xenfork_fork(); says afterwards which clones are ready, the
 *              time of each (XENFORK_STAGE_READY, from its start), and which
 *              NICs are held still.
 * @timeout_ms  longest wait, 1 to 3600000 ms.
 * Return:      0, or a negative XENFORK_E_*.
 * Errors:      INVAL; NOTADAPTED some have said that they cannot, and all
 *              others have acknowledged or said so, or time is over; TIMEOUT
 *              some have not, or are gone; CANCELLED.
 * Ownership:   the result stays the caller's.
 * Effects:     of a clone that acknowledges, the entropy it was given is
 *              removed from xenstore, and NICs with XENFORK_LINK_AUTO are
 *              connected.  Without this call the helper process of the fork
 *              does so.  The clones stay, whatever is returned.
 * Blocking:    yes, up to timeout_ms.  xenfork_cancel() from another thread is
 *              noticed at the next event only.
 * Source:      xs_watch, tools/include/xenstore.h, Xen 4.17.
 * Since:       0.1
 */
int xenfork_wait_ready(xenfork_ctx *ctx, xenfork_result *result,
                       uint32_t timeout_ms);

/**
 * Hold or connect NICs of a clone.
 *
 * @name    of a clone.
 * @nic     index in its configuration; XENFORK_ALL: every NIC.
 * @link    XENFORK_LINK_HOLD or XENFORK_LINK_CONNECT.
 * Return:  0, or a negative XENFORK_E_*.
 * Errors:  INVAL no such NIC; NOTFOUND; NOTOURS not a clone; NOTRUNNING it has
 *          no domain; DEVICE another domain serves a NIC; RESIDUE.  All NICs
 *          are as they were then, unless RESIDUE.
 * Effects: frames that a held NIC's guest sends are lost.  A later
 *          acknowledgement does not change what was asked for here.
 * Blocking: no more than moments.
 * Source:  sch_handle_ingress, sch_handle_egress, net/core/dev.c, Linux 6.1.
 * Since:   0.1
 */
int xenfork_clone_set_nic_link(xenfork_ctx *ctx, const char *name, uint32_t nic,
                               int link);

/**
 * Move a NIC of a clone to another bridge; a held one is held there.
 *
 * @name    of a clone.
 * @nic     index in its configuration; XENFORK_ALL: the only one.
 * @bridge  a bridge of this host.
 * Return:  0, or a negative XENFORK_E_*.
 * Errors:  INVAL no such NIC, or not the only one; NOTFOUND no such bridge or
 *          clone; NOTOURS not a clone; NOTRUNNING it has no domain; DEVICE the
 *          NIC is on no bridge; RESIDUE.
 * Effects: recorded in the domain's configuration: it is there after a restart.
 * Blocking: no more than moments.
 * Source:  RTM_SETLINK, rtnetlink(7); libxl_userdata_store, Xen 4.17.
 * Since:   0.1
 */
int xenfork_clone_set_nic_bridge(xenfork_ctx *ctx, const char *name,
                                 uint32_t nic, const char *bridge);

/* Also bases that outlive their image; also journals that are not undone. */
#define XENFORK_LIST_BASES    (1U << 0)
#define XENFORK_LIST_JOURNALS (1U << 1)

/**
 * List frozen sources, images and clones, with their memory, disks and NICs.
 *
 * @flags     XENFORK_LIST_*, or 0.
 * @list_out  frozen sources; then images, each followed by its clones; all in
 *            order of creation; then bases; then journals.
 * Return:    0, or a negative XENFORK_E_*.
 * Errors:    INVAL unknown flags.
 * Ownership: the caller frees the list, with xenfork_list_free(); its entries,
 *            their disks, NICs and strings belong to it.
 * Effects:   none.
 * Blocking:  no.
 * Source:    xc_domain_getinfolist: tot_pages, shr_pages; Xen 4.17; headers of
 *            disk files.
 * Since:     0.1
 */
int xenfork_list_open(xenfork_ctx *ctx, uint32_t flags,
                      xenfork_list **list_out);
/** Free a list, and all that belongs to it.  NULL is accepted.  Since: 0.1 */
void xenfork_list_free(xenfork_list *list);

/* Return the entries of a list; they belong to it.  Since: 0.1 */
uint32_t xenfork_list_entry_count(const xenfork_list *list);
const xenfork_entry *xenfork_list_entry(const xenfork_list *list,
                                        uint32_t index);

#define XENFORK_KIND_IMAGE  1
#define XENFORK_KIND_CLONE  2
#define XENFORK_KIND_FROZEN 3 /* a frozen source */
#define XENFORK_KIND_BASE   4 /* a base disk whose image is gone */
/*
 * A killed operation that could not be undone yet.  Its name is the journal's
 * ID, its parent the reason, its disks those that the operation may have left.
 */
#define XENFORK_KIND_JOURNAL 5
/* A domain that was forked; not in lists, see xenfork_memory_open(). */
#define XENFORK_KIND_SOURCE 6

/* Return an entry's kind.  All strings belong to the list.  Since: 0.1 */
int xenfork_entry_kind(const xenfork_entry *entry);
/* Return the domid; XENFORK_DOMID_NONE: the domain is gone, the record not. */
uint32_t xenfork_entry_domid(const xenfork_entry *entry);
/* Return the name; NULL for XENFORK_KIND_BASE, which has no parent either. */
const char *xenfork_entry_name(const xenfork_entry *entry);
const char *xenfork_entry_uuid(const xenfork_entry *entry);
/*
 * Return the image that a clone was made from; the source that an image was
 * made from; the image that forks of a frozen source are made from, "" while
 * there is none; why a journal is not undone.
 */
const char *xenfork_entry_parent(const xenfork_entry *entry);
/* Return the domid of an image's source; XENFORK_DOMID_NONE: there is none. */
uint32_t xenfork_entry_parent_domid(const xenfork_entry *entry);
/*
 * Return the state.  Clones: "running"; "paused"; "paused: memory" (it waits
 * for memory of the host, see xenforkd(8)); "shutdown" (the guest has shut
 * down, the domain is still there); "restarting" (the domain is gone, xenforkd
 * is to start it again); "stopped" (the domain is gone, disks and record
 * stay); "left" (migrated or saved, see xenfork_entry_left()).  Images:
 * "ready"; "lost" (the domain was destroyed behind our back); "broken"
 * (somebody let the domain run: it cannot be forked).  Frozen sources:
 * "frozen".  Bases: "base".  Journals: "stuck" (undoing failed); "unreadable"
 * (the file is damaged).
 */
const char *xenfork_entry_state(const xenfork_entry *entry);
/*
 * Return where a clone without a domain here has gone: "migrated to HOST",
 * "saved in FILE"; NULL: it has not.
 */
const char *xenfork_entry_left(const xenfork_entry *entry);
/*
 * Return when xenforkd removes a clone, disks and all: "poweroff": when it
 * powers off or is destroyed; "crash": when it crashes, too; NULL: never.
 */
const char *xenfork_entry_ephemeral(const xenfork_entry *entry);
/* Return a clone's priority, see xenfork_spec_set_priority(). */
uint32_t xenfork_entry_priority(const xenfork_entry *entry);
/* Return when it was made, in seconds since the Epoch. */
uint64_t xenfork_entry_created(const xenfork_entry *entry);
/*
 * Return memory in KiB: all that the guest was given; how much of it is backed
 * by pages shared with others, and how much by pages of its own.  The rest has
 * not been touched yet.
 */
uint64_t xenfork_entry_total_kib(const xenfork_entry *entry);
uint64_t xenfork_entry_shared_kib(const xenfork_entry *entry);
uint64_t xenfork_entry_private_kib(const xenfork_entry *entry);
/*
 * Return what the domain costs the host, in KiB: pages of its own, the memory
 * that Xen has for its page tables, Xen's records of what it shares, and 120
 * KiB for all else that Xen has for a domain, which is measured, not asked.
 * The pages that are shared come on top, once for all: XENFORK_MEMORY_SHARED.
 * Programs that serve the domain in dom0 are not counted.  0 without a domain.
 *
 * Source: xc_get_paging_mempool_size(); struct gfn_info, struct
 * page_sharing_info, xen/arch/x86/mm/mem_sharing.c, 4.17
 */
uint64_t xenfork_entry_host_kib(const xenfork_entry *entry);
/* Return how much of a clone is hydrated, per cent; 100: it needs no image. */
uint32_t xenfork_entry_hydrated(const xenfork_entry *entry);
/* Return when a clone is hydrated: "now", "auto", "never"; NULL for others. */
const char *xenfork_entry_hydrate(const xenfork_entry *entry);
/* Return how much of a clone is detached, per cent; 100: all is its own. */
uint32_t xenfork_entry_detached(const xenfork_entry *entry);
/* Return how many clones need an image. */
uint32_t xenfork_entry_users(const xenfork_entry *entry);
/* Tell whether an image was asked to outlive its clones: nonzero. */
int xenfork_entry_is_kept(const xenfork_entry *entry);
/* Return a clone's generation; NULL for others. */
const char *xenfork_entry_generation(const xenfork_entry *entry);
/*
 * Tell whether a clone's agent has acknowledged the generation, nonzero; of one
 * that was started again: whether it has done so since.
 */
int xenfork_entry_is_ready(const xenfork_entry *entry);
/* Tell whether a clone has reseeded its random numbers: nonzero. */
int xenfork_entry_is_reseeded(const xenfork_entry *entry);
/* Return why a clone could not adapt, as xenfork_clone_error(). */
const char *xenfork_entry_error(const xenfork_entry *entry);
/* Return a clone's NICs, which belong to the list: how many; each. */
uint32_t xenfork_entry_nic_count(const xenfork_entry *entry);
const xenfork_nic *xenfork_entry_nic(const xenfork_entry *entry,
                                     uint32_t index);
/* Return the disks that xenfork made for it, which belong to the list. */
uint32_t xenfork_entry_disk_count(const xenfork_entry *entry);
const xenfork_disk *xenfork_entry_disk(const xenfork_entry *entry,
                                       uint32_t index);

/* A NIC of a clone or an entry; its strings belong to that.  Since: 0.1 */
/* Return the host side's name, "vif7.0"; NULL: its clone has no domain. */
const char *xenfork_nic_vif(const xenfork_nic *nic);
/* Return the MAC, "00:16:3e:00:00:01". */
const char *xenfork_nic_mac(const xenfork_nic *nic);
/*
 * Return the link: XENFORK_LINK_HOLD: held; XENFORK_LINK_AUTO: held until the
 * clone acknowledges; XENFORK_LINK_CONNECT: forwards.
 */
int xenfork_nic_link(const xenfork_nic *nic);
/* Tell whether it is held at this moment, nonzero; without a domain: 0. */
int xenfork_nic_is_held(const xenfork_nic *nic);

/* A disk of a check or an entry; its strings belong to that.  Since: 0.1 */
/* Return the disk's name in the guest, "xvda". */
const char *xenfork_disk_vdev(const xenfork_disk *disk);
/* Return the driver that made it, or would, "reflink". */
const char *xenfork_disk_driver(const xenfork_disk *disk);
/* Return why a check's has that driver, in a few words; NULL for others. */
const char *xenfork_disk_why(const xenfork_disk *disk);
/* Return the file or device of an entry's; NULL for a check's. */
const char *xenfork_disk_path(const xenfork_disk *disk);
/* Return how many layers a read may have to look through; 1: no chain. */
uint32_t xenfork_disk_depth(const xenfork_disk *disk);
/* Return how many clones have an overlay of an image's; else 0. */
uint32_t xenfork_disk_users(const xenfork_disk *disk);

#define XENFORK_NOT_KNOWN UINT64_MAX

/**
 * Ask how much space a disk takes.
 *
 * @disk               a disk of a list's entry.
 * @allocated_kib_out  storage that it refers to, in KiB, what it shares with
 *                     other disks included.
 * @own_kib_out        what would be free without it; XENFORK_NOT_KNOWN where
 *                     the storage does not say.
 * Return:   0, or a negative XENFORK_E_*.
 * Errors:   INVAL no such disk; DISK the storage does not answer.
 * Effects:  none.
 * Blocking: for reflink the more the more pieces a file is in; for lvthin as
 *           long as lvs(8).
 * Source:   FS_IOC_FIEMAP, Linux Documentation/filesystems/fiemap.rst.
 * Since:    0.1
 */
int xenfork_disk_usage(xenfork_ctx *ctx, const xenfork_disk *disk,
                       uint64_t *allocated_kib_out, uint64_t *own_kib_out);

#define XENFORK_DESTROY_LEFT (1U << 0) /* though it has left this host */

/**
 * Destroy a clone: its domain, if there is one, its overlay disks, its record.
 *
 * @name     of the clone.
 * @flags    XENFORK_DESTROY_*, or 0.
 * Return:   0, or a negative XENFORK_E_*.
 * Errors:   INVAL unknown flags; NOTFOUND; NOTOURS not a clone, or the name of
 *           a stopped one is another domain's; NAMETAKEN two clones have the
 *           name; INUSE it was migrated or saved, or is stopped and somebody
 *           writes to a disk of it (not with XENFORK_DESTROY_LEFT; see
 *           xenfork_agree()); BUSY; RESIDUE.
 * Effects:  all data of the clone is lost.  The image goes with its last clone
 *           unless it was asked to stay.
 * Blocking: yes: seconds.
 * Source:   libxl_domain_destroy, Xen 4.17.
 * Since:    0.1
 */
int xenfork_clone_destroy(xenfork_ctx *ctx, const char *name, uint32_t flags);

/**
 * Record that a clone is about to leave this host, or to be put into a file.
 *
 * @name     of the clone, or the number of its domain.  Where it has a domain,
 *           it is the one that xl would take by that name.
 * @text     where to: "migrated to HOST", "saved in FILE"; "": it stays.
 * @pid      the process that takes it there; 0: unknown.
 * Return:   0, or a negative XENFORK_E_*.
 * Errors:   NOTFOUND; NOTOURS not a clone; NAMETAKEN; NOSPC or STATE the record
 *           cannot be read or written: the clone should stay.
 * Effects:  it counts when the clone has no domain here any more.
 * Blocking: no.
 * Source:   the clone's record.
 * Since:    0.1
 */
int xenfork_clone_leaves(xenfork_ctx *ctx, const char *name, const char *text,
                         uint32_t pid);

/**
 * Forget a clone that has no domain here: its record goes, its disks stay.
 *
 * @name     of the clone: its last known name, or UUID.
 * Return:   0, or a negative XENFORK_E_*.
 * Errors:   NOTFOUND; NOTOURS not a clone; NAMETAKEN; INUSE it has a domain
 *           here; DISK another disk is backed by what would be removed; BUSY;
 *           RESIDUE.
 * Effects:  nothing knows its disks any more.  The image goes with its last
 *           clone unless it was asked to stay.
 * Blocking: yes: seconds.
 * Source:   the clone's record.
 * Since:    0.1
 */
int xenfork_clone_forget(xenfork_ctx *ctx, const char *name);

#define XENFORK_START_LEFT (1U << 0) /* though it may run elsewhere */

/**
 * Start a clone that has ended again: name, UUID, MACs, disks, link states and
 * what it was told of itself as before.  All of its memory is its own.
 *
 * @name       of the clone.
 * @flags      XENFORK_START_*, or 0.
 * @domid_out  the domain that it is now; untouched on failure.
 * Return:     0, or a negative XENFORK_E_*.
 * Errors:     INVAL unknown flags; NOTFOUND; NOTOURS not a clone; BUSY it has
 *             a domain, or another operation is on it; NAMETAKEN; UUIDTAKEN;
 *             INUSE it was migrated or saved, somebody writes to a disk of it,
 *             or a read-only one is another, or was written to (not with
 *             XENFORK_START_LEFT; see xenfork_agree()); DISK one is missing;
 *             HOSTMEM; RESIDUE.
 * Effects:    a NIC that was held is held; a clone that had not acknowledged
 *             is to acknowledge; it has not left any more.  On failure, or
 *             killed: the clone is stopped.
 * Blocking:   yes: seconds.
 * Source:     libxl_domain_create_new, Xen 4.17.
 * Since:      0.1
 */
int xenfork_clone_start(xenfork_ctx *ctx, const char *name, uint32_t flags,
                        uint32_t *domid_out);

#define XENFORK_RESET_PAUSED (1U << 0) /* do not let it run */

/**
 * Put a clone back to where it was forked: memory, vCPUs and disks as they were
 * then, whatever it has done since.  It is made of its image again.
 *
 * @name        of the clone, which may run, or have ended.
 * @flags       XENFORK_RESET_*, or 0.
 * @result_out  of one clone, as of xenfork_fork(); xenfork_wait_ready() waits
 *              for it.  Untouched on failure.
 * Return:      0, or a negative XENFORK_E_*.
 * Errors:      INVAL unknown flags; NOTFOUND no such clone, or its image is
 *              gone; NOTOURS not a clone; NAMETAKEN; UUIDTAKEN; BUSY; INUSE it
 *              is being saved or migrated, or was; it is stopped and somebody
 *              writes to a disk of it; it is frozen, or was forked itself; DISK
 *              it is detached, or its disks cannot be made; HOSTMEM; CANCELLED;
 *              STATE its image is broken; RESIDUE.
 * Ownership:   the caller frees the result, with xenfork_result_free().
 * Effects:     all that it wrote to memory and disks is lost; devices that it
 *              was given since are gone.  Name, UUID, MACs, bridges,
 *              parameters and priority are kept.  The domain is another, the
 *              generation new: a link is as at the fork, but a NIC that its
 *              user holds stays held.  On failure, or killed: it is as before;
 *              or, once its domain is destroyed, stopped, with its disks as
 *              they were; or it is reset.
 * Blocking:    yes: some hundred milliseconds.
 * Source:      libxl_domain_destroy; then as xenfork_fork(), Xen 4.17.
 * Since:       0.1
 */
int xenfork_clone_reset(xenfork_ctx *ctx, const char *name, uint32_t flags,
                        xenfork_result **result_out);

/**
 * Destroy an image; clones that still depend on it are hydrated first.
 *
 * @name    of the image.
 * Return:  0, or a negative XENFORK_E_*.
 * Errors:  NOTFOUND; NOTOURS not an image; INUSE a clone that depends on it
 *          was made with XENFORK_FORK_NO_HYDRATE, or cannot be hydrated
 *          because the image is lost; BUSY; CANCELLED; RESIDUE.
 * Effects: Xen keeps the domain's number (as "(null)", state d) until the
 *          last clone of it, hydrated or not, is gone.
 * Blocking: yes: up to seconds, and as long as xenfork_hydrate().
 * Source:  d->parent holds a reference, xen/arch/x86/mm/mem_sharing.c, 4.17.
 * Since:   0.1
 */
int xenfork_image_destroy(xenfork_ctx *ctx, const char *name);

/**
 * Tell whether this is the name, UUID or number of an image's domain.
 *
 * @name       of the image.
 * @domid_out  its domid.
 * Return:     0, or a negative XENFORK_E_*.
 * Errors:     NOTFOUND no image is called so.
 * Effects:    none.
 * Blocking:   no.
 * Source:     images' records; xenstore's /local/domain/N/name.
 * Since:      0.1
 */
int xenfork_image_find(xenfork_ctx *ctx, const char *name, uint32_t *domid_out);

/**
 * Make a clone independent of its image: put in every page not yet there.
 *
 * @name              of the clone; may run meanwhile.
 * @pages_per_second  0: as fast as it goes.
 * Return:            0, or a negative XENFORK_E_*.
 * Errors:            NOTFOUND; NOTOURS not a clone; NOTRUNNING it has no
 *                    domain here, or its image is lost; CANCELLED; HOSTMEM Xen
 *                    has no memory for a page that the image has.
 * Effects:           costs no guest memory: pages come in shared.
 * Blocking:          yes: memory size over speed.
 * Source:            get_page_from_gfn(P2M_ALLOC) forks a missing page,
 *                    xen/arch/x86/mm/p2m.c, Xen 4.17.
 * Since:             0.1
 */
int xenfork_hydrate(xenfork_ctx *ctx, const char *name,
                    uint32_t pages_per_second);

/**
 * Make all that a clone shares its own: its memory, its disks.
 *
 * Afterwards it needs neither its image, nor its source, nor the bases of its
 * disks.  It stays a clone by name, until xenfork_clone_destroy().
 *
 * @name            of the clone; may run meanwhile, or be gone: then
 *                  it is about its disks.
 * @dir             absolute path: disks become files there, named
 *                  CLONE-VDEV.FORMAT, of a clone that runs only those of the
 *                  drivers thin and qcow2; NULL: they stay where they are.
 * @format          of those files: "raw" or "qcow2"; NULL: raw.
 * @kib_per_second  of memory and disks, at most; 0: as fast as it goes.  Not
 *                  of a qcow2 file flattened in place that no domain uses.
 * Return:          0, or a negative XENFORK_E_*.
 * Errors:          INVAL no such folder or format; NOTFOUND; NOTOURS not a
 *                  clone; INUSE it was made with XENFORK_FORK_NO_HYDRATE, and
 *                  is not hydrated; or was, or is being, saved or migrated; or
 *                  is stopped and somebody writes to a disk of it; HOSTMEM no
 *                  memory for all its pages; NOSPC no space for its disks;
 *                  EXISTS a file is in the way; DISK a disk cannot be moved
 *                  while the clone runs; BUSY it is being detached, or forked;
 *                  CANCELLED by xenfork_cancel() or xenfork_detach_stop();
 *                  RESIDUE.
 * Effects:         guest memory comes to be in full use on the host.  Stopped
 *                  or killed half-way, the clone is as good as before; another
 *                  call goes on from there.  The old files are removed.
 * Blocking:        yes: size over speed.
 * Source:          get_page_from_gfn(P2M_UNSHARE) for a writable mapping,
 *                  xen/arch/x86/mm.c, Xen 4.17.
 * Since:           0.1
 */
int xenfork_detach(xenfork_ctx *ctx, const char *name, const char *dir,
                   const char *format, uint64_t kib_per_second);

/**
 * Have xenfork_detach() of a clone stop, in whatever process it is.
 *
 * @name     of the clone.
 * Return:   0, also when it is not being detached; or a negative XENFORK_E_*.
 * Errors:   NOTFOUND; NOTOURS not a clone.
 * Effects:  the other call returns XENFORK_E_CANCELLED soon.
 * Blocking: no.
 * Since:    0.1
 */
int xenfork_detach_stop(xenfork_ctx *ctx, const char *name);

/**
 * Look at the host's memory: what sources, images and clones have of it, what
 * they may still take, and which clones xenforkd would pause first.
 *
 * @memory_out  the domains: each source, then its images, each followed by its
 *              clones; at last clones whose image is gone.
 * Return:      0, or a negative XENFORK_E_*.
 * Errors:      XEN no access to Xen.
 * Ownership:   the caller frees it, with xenfork_memory_free(); its domains
 *              and their strings belong to it.
 * Effects:     none.
 * Blocking:    no.
 * Source:      xc_physinfo, xc_sharing_used_frames, xc_sharing_freed_pages,
 *              xc_domain_getinfolist; Xen 4.17.
 * Since:       0.1
 */
int xenfork_memory_open(xenfork_ctx *ctx, xenfork_memory **memory_out);
/** Free it, and all that belongs to it.  NULL is accepted.  Since: 0.1 */
void xenfork_memory_free(xenfork_memory *memory);

/*
 * Return the host's memory in KiB: all; free, and not reserved; reserved for
 * domains; shared by several domains; saved by that.  Since: 0.1
 */
#define XENFORK_MEMORY_TOTAL    1
#define XENFORK_MEMORY_FREE     2
#define XENFORK_MEMORY_RESERVED 3
#define XENFORK_MEMORY_SHARED   4
#define XENFORK_MEMORY_SAVED    5
uint64_t xenfork_memory_host_kib(const xenfork_memory *memory, int what);

/* Return the domains, which belong to it.  Since: 0.1 */
uint32_t xenfork_memory_domain_count(const xenfork_memory *memory);
const xenfork_domain *xenfork_memory_domain(const xenfork_memory *memory,
                                            uint32_t index);
/* Return XENFORK_KIND_SOURCE, _IMAGE or _CLONE.  Since: 0.1 */
int xenfork_domain_kind(const xenfork_domain *domain);
uint32_t xenfork_domain_domid(const xenfork_domain *domain);
const char *xenfork_domain_name(const xenfork_domain *domain);
/* Return the name of the source whose memory it shares. */
const char *xenfork_domain_family(const xenfork_domain *domain);
/* Return "running", "paused", "paused: memory", "shutdown", or "image". */
const char *xenfork_domain_state(const xenfork_domain *domain);
/*
 * Return its memory in KiB: its own; shared with others; reserved for it
 * (XENFORK_MEMORY_RESERVED); what it can still take of the host's free memory
 * without asking anybody.
 */
#define XENFORK_MEMORY_OWN  6
#define XENFORK_MEMORY_NEED 7
uint64_t xenfork_domain_kib(const xenfork_domain *domain, int what);
/* Return a clone's priority, see xenfork_spec_set_priority(). */
uint32_t xenfork_domain_priority(const xenfork_domain *domain);
/* Return when it is paused, if memory runs low: 1 is the first; 0: never. */
uint32_t xenfork_domain_turn(const xenfork_domain *domain);

/**
 * Roll back what killed processes left half-made, and remove images that
 * nothing needs any more.  Forks and clone destructions begin with it.  A
 * journal that cannot be undone holds up only its own source.
 *
 * Return:   0, or a negative XENFORK_E_*.
 * Errors:   RESIDUE something could not be undone.
 * Effects:  sources left suspended are resumed; half-made domains and files
 *           are removed.  Operations that run are not touched.
 * Blocking: yes: seconds.
 * Since:    0.1
 */
int xenfork_recover(xenfork_ctx *ctx);

/**
 * Begin a batch: many calls on this context, one after the other, that start,
 * reset, destroy or forget clones, or thaw sources.  xenfork_recover() is part
 * of the first of them alone, and not of each; images that nothing needs any
 * more, and chains of disks, are left to the batch's end.
 *
 * @ctx      NULL is ignored.  A batch in a batch is the same one.
 * Effects:  none until xenfork_batch_end().
 * Blocking: no.
 * Since:    0.1
 */
void xenfork_batch_begin(xenfork_ctx *ctx);

/**
 * End a batch, and do what its calls have put off.  Without a batch nothing is
 * done.
 *
 * Return:   0, or a negative XENFORK_E_*.
 * Errors:   RESIDUE something could not be undone; DISK, STATE an image or a
 *           base could not be removed: xenfork_recover() tries again.
 * Effects:  images that nothing needs any more are removed.
 * Blocking: yes: seconds.
 * Since:    0.1
 */
int xenfork_batch_end(xenfork_ctx *ctx);

/**
 * Give up undoing what a killed process has left.  It is tried once more;
 * then its journal is moved to STATE/aside, and what it speaks of is the
 * user's to remove: warnings name it.
 *
 * @id       the journal's, as in xenfork_list_open().
 * Return:   0, or a negative XENFORK_E_*.
 * Errors:   INVAL no ID; NOTFOUND no such journal; BUSY its process lives.
 * Effects:  nothing holds up its source any more.
 * Blocking: yes: seconds.
 * Since:    0.1
 */
int xenfork_journal_set_aside(xenfork_ctx *ctx, const char *id);

#ifdef __cplusplus
}
#endif

#endif

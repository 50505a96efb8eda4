/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The library's interface to Xen.  Implemented by the files of xen/, the only
 * ones that know libxl, libxc and libxenstore, and by tests/unit/lib/fake-xen.c.
 *
 * All functions return 0 or a negative XENFORK_E_*, have made the error when
 * they fail (XENFORK_E_XEN unless said otherwise), and leave outputs untouched
 * then.  "NOTFOUND" as an error code means: no such domain.
 */
#ifndef LIBFORK_XEN_XEN_H
#define LIBFORK_XEN_XEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "xen/suspend.h"
#include "host/host.h"
#include "xen/memory.h"
#include "xen/plan.h"
#include "xenfork.h"

/* Handles */
int xenfork__xen_open(xenfork_ctx *ctx);
void xenfork__xen_close(xenfork_ctx *ctx);

/* Domains: xen/domain.c */
struct xenfork__dominfo {
    uint32_t domid;
    uint8_t uuid[16];
    bool is_hvm;    /* an HVM container: PVH or HVM */
    bool has_emulator; /* a device model */
    bool is_paused; /* by a toolstack */
    bool is_shutdown;
    bool is_dying;
    int shutdown_reason;    /* XENFORK__SHUTDOWN_*; valid if is_shutdown */
    uint64_t private_pages; /* Xen's tot_pages */
    uint64_t shared_pages;  /* Xen's shr_pages */
    uint64_t claimed_pages; /* claimed and not yet used */
    uint64_t max_pages;     /* what the domain may own */
    uint32_t max_vcpus;
    uint64_t cpu_ns; /* it has run so long, all its vCPUs */
};
/* Reasons of a shutdown: SHUTDOWN_*, public/sched.h */
#define XENFORK__SHUTDOWN_POWEROFF   0
#define XENFORK__SHUTDOWN_REBOOT     1
#define XENFORK__SHUTDOWN_SUSPEND    2
#define XENFORK__SHUTDOWN_CRASH      3
#define XENFORK__SHUTDOWN_WATCHDOG   4
#define XENFORK__SHUTDOWN_SOFT_RESET 5
#define XENFORK__SHUTDOWNS           6

/* Return the state of a domain.  NOTFOUND, not logged */
int xenfork__xen_info(xenfork_ctx *ctx, uint32_t domid,
                      struct xenfork__dominfo *info_out);
/* Find a domain by UUID, without dying ones.  NOTFOUND, not logged */
int xenfork__xen_by_uuid(xenfork_ctx *ctx, const uint8_t uuid[16],
                         uint32_t *domid_out);
/* Find a domain by its exact name.  NOTFOUND, not logged */
int xenfork__xen_by_name(xenfork_ctx *ctx, const char *name,
                         uint32_t *domid_out);
/* Return the name of a domain; caller frees.  NOTFOUND, not logged */
int xenfork__xen_name(xenfork_ctx *ctx, uint32_t domid, char **name_out);
int xenfork__xen_pause(xenfork_ctx *ctx, uint32_t domid);
int xenfork__xen_unpause(xenfork_ctx *ctx, uint32_t domid);
/*
 * Pause it for milliseconds, with one call of Xen's: each time that libxl
 * unpauses an HVM domain, it connects to QEMU and has it go on, which it does.
 */
int xenfork__xen_pause_vcpus(xenfork_ctx *ctx, uint32_t domid);
int xenfork__xen_unpause_vcpus(xenfork_ctx *ctx, uint32_t domid);
/* Destroy what is left of a domain: devices, hotplug, xenstore, memory. */
int xenfork__xen_destroy(xenfork_ctx *ctx, uint32_t domid);
/*
 * Block until a domain may be gone or shut down, a watched guest may have
 * answered (domid_out: which; otherwise XENFORK_DOMID_NONE), wake_fd is
 * readable, a signal has come, or timeout_ms (-1: none) is over.
 */
int xenfork__xen_wait_event(xenfork_ctx *ctx, int wake_fd, int timeout_ms,
                            uint32_t *domid_out);

/*
 * Check that the hypervisor has memory sharing; no domain is touched.
 * HYPERVISOR
 */
int xenfork__xen_can_share(xenfork_ctx *ctx, uint32_t domid);

/*
 * The nodes that a guest reads about itself, below fork/ in xenstore:
 * xen/guest.c
 */
#define XENFORK__ROLE_SOURCE "source"
#define XENFORK__ROLE_CLONE  "clone"

struct xenfork__guest {
    const char *role; /* XENFORK__ROLE_* */
    const char *generation;
    const char *source; /* the rest is for clones.  NULL: no such node */
    uint32_t index;
    const char *source_macs; /* "DEVID=MAC …" */
    const char *entropy;
    uint32_t param_count;
    const struct xenfork__pair *params;
};

/* Write all nodes at once; only this guest may read them. */
int xenfork__xen_guest_publish(xenfork_ctx *ctx, uint32_t domid,
                               const struct xenfork__guest *guest);
/* Remove the nodes.  Absent already: success. */
int xenfork__xen_guest_remove(xenfork_ctx *ctx, uint32_t domid);
/*
 * Return a domain's generation; caller frees.  NOTFOUND, not logged: it has
 * none
 */
int xenfork__xen_guest_generation(xenfork_ctx *ctx, uint32_t domid,
                                  char **generation_out);
#define XENFORK__FAULT_CHARS 256U

/* The answers of a clone about its adaptation. */
struct xenfork__answers {
    bool has_acked, has_reseeded;     /* this generation, and no other */
    char fault[XENFORK__FAULT_CHARS]; /* printable ASCII; "": none */
};

int xenfork__xen_guest_answers(xenfork_ctx *ctx, uint32_t domid,
                               const char *generation,
                               struct xenfork__answers *answers_out);
/* Remove the entropy, which the guest has used. */
int xenfork__xen_guest_remove_entropy(xenfork_ctx *ctx, uint32_t domid);
/* Make xenfork__xen_wait_event() report this guest; the first time at once. */
int xenfork__xen_guest_watch(xenfork_ctx *ctx, uint32_t domid);
void xenfork__xen_guest_unwatch(xenfork_ctx *ctx, uint32_t domid);

/* Tell a guest about its freeze: xen/freeze.c */
#define XENFORK__ROLE_FROZEN "frozen"
int xenfork__xen_guest_role(xenfork_ctx *ctx, uint32_t domid, const char *role);
/* Answer a guest that has asked to be frozen; @error NULL: it succeeded */
int xenfork__xen_guest_answer(xenfork_ctx *ctx, uint32_t domid,
                              const char *error);
/*
 * Attend to a request to a frozen guest, which cannot answer.  A request to
 * suspend is acknowledged for it, because it is suspended: so it can be saved
 * and migrated.  For a request to shut down, or the like, wants_out is true:
 * the guest has to run.
 */
int xenfork__xen_frozen_request(xenfork_ctx *ctx, uint32_t domid,
                                bool *wants_out);
/* Make xenfork__xen_wait_event() report requests to this domain, too. */
int xenfork__xen_watch_frozen(xenfork_ctx *ctx, uint32_t domid);

/* Configuration: xen/config.c */
#define XENFORK__TYPE_PV  1
#define XENFORK__TYPE_PVH 2
#define XENFORK__TYPE_HVM 3

struct xenfork__disk {
    uint32_t domid; /* whose it is; NONE: a stored configuration's */
    char *vdev;
    char *path;    /* NULL: empty drive; by tapback: "vhd:…", "aio:…" */
    char *format;  /* libxl's words: "raw", "qcow2", … */
    char *backend; /* "phy", "qdisk", "tap", "standalone", … */
    char *script;  /* NULL: libxl's own */
    bool is_readwrite;
    bool is_cdrom;
    bool is_foreign; /* backend in another domain */

    const char *options; /* of its driver, where it is probed.  NULL: none */
};

struct xenfork__nic {
    int devid;
    uint8_t mac[6];
    char *bridge; /* NULL: libxl's default */
    char *script; /* likewise */
    char *ip;     /* what the script routes; NULL: nothing is said */
    bool is_held; /* a clone's: its link is to be down from the start */
};

struct xenfork__refused {
    int code;     /* XENFORK_E_PASSTHROUGH or DEVICE */
    char *what;   /* "PCI device 0000:03:00.0" */
    char *remedy; /* what its user can do */
};

struct xenfork__config {
    char *json; /* libxl's own record, opaque to us */
    char *name;
    uint8_t uuid[16];
    int type;          /* XENFORK__TYPE_* */
    uint64_t max_kib;  /* memory that the guest may have */
    uint64_t hole_kib; /* of an HVM domain, below 4 GiB; 0: as usual */
    uint32_t disk_count;
    struct xenfork__disk *disks;
    uint32_t nic_count;
    struct xenfork__nic *nics;
    uint32_t refused_count;
    struct xenfork__refused *refused; /* devices that cannot be forked */
};

int xenfork__xen_config_get(xenfork_ctx *ctx, uint32_t domid,
                            struct xenfork__config **config_out);
/* Parse the JSON that config_get gave. */
int xenfork__xen_config_parse(xenfork_ctx *ctx, const char *json,
                              struct xenfork__config **config_out);
void xenfork__config_free(struct xenfork__config *config);
/* Changes of a JSON; NULL: no change.  The path is in libxl's form. */
struct xenfork__config_change {
    const char *name;
    const char *vdev, *path, *format; /* a disk moved, see xen_disk_moved */
    int devid;                        /* of a NIC */
    const char *bridge;
};
/* Apply changes to a JSON; caller frees the result. */
int xenfork__xen_config_change(xenfork_ctx *ctx, const char *json,
                               const struct xenfork__config_change *change,
                               char **json_out);
/*
 * Check that enough memory is free, and not reserved for others, for a
 * configuration once domain @replaced is gone.  HOSTMEM
 */
int xenfork__xen_check_memory(xenfork_ctx *ctx, const char *json,
                              uint32_t replaced);
/*
 * Create a paused domain from a configuration; on failure nothing is left.  The
 * domain has @mark, a UUID, as soon as it has a name.
 */
int xenfork__xen_create(xenfork_ctx *ctx, const char *json, const char *mark,
                        uint32_t *domid_out);
/* Return that mark; "": none */
int xenfork__xen_made_for(xenfork_ctx *ctx, uint32_t domid, char mark_out[37]);
/*
 * List the paths of a domain's disks as libxl has noted them, those by tapdisk
 * and QEMU with their kind before the path; for xenfork__names_free().  While
 * the domain is being made they may be missing.  A domain that is gone has none
 */
int xenfork__xen_disk_paths(xenfork_ctx *ctx, uint32_t domid, char ***paths_out,
                            size_t *count_out);
/* List the names of all domains; for xenfork__names_free(). */
int xenfork__xen_names(xenfork_ctx *ctx, char ***names_out, size_t *count_out);
/*
 * List the MACs of every domain's NICs, and of those in libxl's records on
 * disk: count * 6 bytes; caller frees.
 */
int xenfork__xen_macs(xenfork_ctx *ctx, uint8_t **macs_out, size_t *count_out);

/* The image domain: xen/image.c */
/*
 * Create a bare domain like the source: vCPUs, flags, CPU policy, HAP
 * allocation.  It is paused for ever, has a name in xenstore, and is passed
 * over by `xl shutdown -a`.
 */
int xenfork__xen_image_create(xenfork_ctx *ctx, uint32_t source,
                              const uint8_t uuid[16], const char *name,
                              uint32_t *image_out);

/* State of a suspended domain: xen/capture.c */
struct xenfork__param {
    uint64_t index; /* HVM_PARAM_* */
    uint64_t value;
};

struct xenfork__capture {
    uint32_t xen_major, xen_minor;
    uint8_t *cpuid; /* xen_cpuid_leaf_t[] as in the stream */
    size_t cpuid_bytes;
    uint8_t *msrs; /* xen_msr_entry_t[] as in the stream */
    size_t msrs_bytes;
    uint32_t tsc_mode, tsc_khz, tsc_incarnation;
    uint64_t tsc_ns;
    uint8_t *context; /* HVM context */
    size_t context_bytes;
    uint32_t param_count;
    struct xenfork__param *params;
    uint32_t page_count; /* special pages, gfn ascending */
    uint64_t *page_gfns;
    uint8_t *pages; /* page_count * 4096 bytes */

    uint8_t *emulator; /* the state of an HVM domain's QEMU; NULL: none */
    size_t emulator_bytes;
    char *emulator_nodes; /* "KEY\0VALUE\0…" for the stream */
    size_t emulator_nodes_bytes;
};

/*
 * Read the state of a suspended domain; gfns: the special pages that the stream
 * has to carry.
 */
int xenfork__xen_capture(xenfork_ctx *ctx, uint32_t domid, const uint64_t *gfns,
                         uint32_t count, struct xenfork__capture **capture_out);
void xenfork__capture_free(struct xenfork__capture *capture);
/* Give the image the vCPU state; its special pages are there already. */
int xenfork__xen_image_load(xenfork_ctx *ctx, uint32_t image,
                            const struct xenfork__capture *capture);

/* The paging pool, of which page tables are made: xen/pool.c */
int xenfork__xen_pool_size(xenfork_ctx *ctx, uint32_t domid,
                           uint64_t *bytes_out);
/*
 * Return its size, or what the page tables of a guest of @max_pages need, if
 * that is more.
 */
int xenfork__xen_pool(xenfork_ctx *ctx, uint32_t domid, uint64_t max_pages,
                      uint64_t *bytes_out);
/* Take back what is above @bytes and not in use. */
int xenfork__xen_pool_limit(xenfork_ctx *ctx, uint32_t domid, uint64_t bytes);
/*
 * Lower the image's paging pool, which a fork copies to each clone, to what the
 * page tables of a guest of @max_kib need, if that is less than the source's:
 * with nested paging nothing else is in it.
 */
int xenfork__xen_image_trim(xenfork_ctx *ctx, uint32_t image, uint64_t max_kib);

/* The device model of HVM domains: xen/emulator.c */
/* Return how many pages of RAM it has at most, beside those that are QEMU's. */
int xenfork__xen_ram_pages(xenfork_ctx *ctx, uint32_t domid,
                           uint64_t *pages_out);

/* Memory, and what is written to it: xen/memory.h */

/* Clones: xen/restore.c */
struct xenfork__clone_disk {
    const char *path;   /* NULL: as the source's */
    const char *script; /* likewise; raw and by phy, unless by tapback */
    bool is_absent;
};

struct xenfork__clone_config {
    const char *name;
    const uint8_t *uuid;
    const struct xenfork__nic *nics;         /* as many as the source has */
    /*
     * Give the domain its memory: called for an HVM domain alone, before its
     * QEMU runs.
     */
    int (*populate)(void *opaque, uint32_t domid);
    void *opaque;
    const struct xenfork__clone_disk *disks; /* likewise */
};

/*
 * Have libxl make a paused domain from a stream without pages, at fd's offset,
 * which is closed in any case.  Several are made side by side: each that has
 * begun is served between turns until it is done, and ended whatever happens.
 */
struct xenfork__restore;
int xenfork__xen_restore_begin(xenfork_ctx *ctx,
                               const struct xenfork__config *source,
                               const struct xenfork__clone_config *clone,
                               int stream_fd,
                               struct xenfork__restore **restore_out);
/* Let libxl work on all of them, for some milliseconds at most. */
void xenfork__xen_restore_turn(xenfork_ctx *ctx);
/* Do what is to be done for one of them, as to populate it. */
int xenfork__xen_restore_serve(xenfork_ctx *ctx,
                               struct xenfork__restore *restore,
                               bool *is_done_out);
/* Ask libxl to give it up. */
void xenfork__xen_restore_stop(xenfork_ctx *ctx,
                               struct xenfork__restore *restore);
/*
 * Wait until it is done, and free it.  RESIDUE: the half-made domain is still
 * there.  json_out: the clone's own configuration; caller frees.
 */
int xenfork__xen_restore_end(xenfork_ctx *ctx, struct xenfork__restore *restore,
                             char **json_out, uint32_t *domid_out);

/* Clones without libxl's restore: xen/plan.h */

/* Disks of a live domain: xen/disk.c */
/*
 * Record another file for a disk, for the next start or restore: with libxl's
 * own script.
 */
int xenfork__xen_disk_moved(xenfork_ctx *ctx, uint32_t domid, const char *vdev,
                            const char *path, const char *format);

/*
 * Find the tapdisk that serves a VHD for writing by backendtype=tap and libxl's
 * own script: xen/tap.c.  NOTFOUND, not logged: none
 */
int xenfork__xen_tapdisk(xenfork_ctx *ctx, const char *file,
                         struct xenfork__tapdisk *tapdisk_out);

/* NICs of a live domain: xen/nic.c */
/*
 * Return the NIC's interface on this host; caller frees.  DEVICE, not logged:
 * there is no such NIC, or another domain serves it, with remedy
 */
int xenfork__xen_nic_ifname(xenfork_ctx *ctx, uint32_t domid, int devid,
                            char **ifname_out);
/* List the NICs that the domain has now, in order; caller frees. */
int xenfork__xen_nic_ids(xenfork_ctx *ctx, uint32_t domid, int **devids_out,
                         uint32_t *count_out);
/* Return a NIC's MAC.  DEVICE, not logged: there is no such NIC */
int xenfork__xen_nic_mac(xenfork_ctx *ctx, uint32_t domid, int devid,
                         uint8_t mac_out[6]);
/*
 * Wait until the frames that the guest has given the NIC are sent, or dropped.
 */
void xenfork__xen_nic_flush(xenfork_ctx *ctx, uint32_t domid, int devid,
                            uint32_t timeout_ms);
/* Return the NIC's bridge as recorded; caller frees.  *bridge_out NULL: none */
int xenfork__xen_nic_bridge(xenfork_ctx *ctx, uint32_t domid, int devid,
                            char **bridge_out);
/* Record another bridge, where libxl and hotplug scripts look for it. */
int xenfork__xen_nic_set_bridge(xenfork_ctx *ctx, uint32_t domid, int devid,
                                const char *bridge);

/*
 * Check that no other domain may write to a disk of this domain.  DISK with
 * remedy, not logged: they may.  xen/shared-disk.c
 */
int xenfork__xen_disk_shared(xenfork_ctx *ctx, uint32_t domid,
                             const struct xenfork__disk *disk);

/*
 * Check that the disk's path leads to the file or device that the domain has
 * open.  DISK with remedy, not logged: it leads to another one, or nothing
 * tells which.  Disks with other scripts, and those of another domain's
 * backend, are passed over: xen/served.c.  @thin_number returns the device by
 * which block-fork serves a path, if that is not a VHD
 */
typedef int xenfork__device_number_fn(xenfork_ctx *ctx, const char *path,
                                      uint64_t *number_out);
int xenfork__xen_disk_served(xenfork_ctx *ctx, uint32_t domid, const char *vdev,
                             const char *path,
                             xenfork__device_number_fn *thin_number);

/*
 * Tell whether the QEMU of an HVM domain has a disk's file open for an emulated
 * disk, too: xen/emulated.c.  XEN, DISK
 */
int xenfork__xen_disk_is_emulated(xenfork_ctx *ctx, uint32_t domid,
                                  const char *path, bool *is_out);

/* Disks of a suspended domain: xen/ring.c */
/* Wait until every block ring is empty.  TIMEOUT */
int xenfork__xen_drain(xenfork_ctx *ctx, uint32_t domid, uint32_t timeout_ms);

#endif

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The library's interface to the host that it runs on.  Implemented by the
 * files of host/, and by tests/unit/lib/fake-*.c.
 */
#ifndef LIBFORK_HOST_HOST_H
#define LIBFORK_HOST_HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "xenfork.h"

/* Return the UUID of this boot of the host.  STATE */
int xenfork__sys_boot(xenfork_ctx *ctx, char boot_out[37]);
/* Flush a file or a device: all that was written to it is on the disk.  DISK */
int xenfork__sys_disk_flush(xenfork_ctx *ctx, const char *path);
/* Make dst (new, empty) a reflink of src.  DISK: file system cannot */
int xenfork__sys_reflink(xenfork_ctx *ctx, const char *src, const char *dst,
                         bool is_base);
/* Count the extents of a file, without listing them. */
int xenfork__sys_extents(xenfork_ctx *ctx, const char *path,
                         uint64_t *extents_out);
/*
 * Copy a disk's file by qemu-img, sparse; formats are qemu-img's words.  dst
 * exists, and is overwritten.  step() is called with the per mille that are
 * done, at least once a second; a result below 0 ends the copy.
 * bytes_per_second 0: as fast as it goes.  DISK
 */
struct xenfork__copy {
    const char *src, *src_format;
    const char *dst, *dst_format;
    uint64_t bytes_per_second;
    int (*step)(xenfork_ctx *ctx, void *opaque, uint32_t per_mille);
    void *opaque;
};
int xenfork__sys_copy(xenfork_ctx *ctx, const struct xenfork__copy *copy);
/*
 * Copy a device to another one of the same size; blocks that are equal are not
 * written.  step() is called for each 2 MiB with the bytes that are done, and
 * that were written.  DISK
 */
struct xenfork__device_copy {
    const char *src, *dst;
    int (*step)(xenfork_ctx *ctx, void *opaque, uint64_t done, uint64_t total,
                uint64_t moved);
    void *opaque;
};
int xenfork__sys_copy_device(xenfork_ctx *ctx,
                             const struct xenfork__device_copy *job);
/*
 * Flatten a qcow2 file in place: @copy has no dst.  The file stays valid until
 * it has no backing file any more.  There is no limit of speed
 */
int xenfork__sys_flatten(xenfork_ctx *ctx, const struct xenfork__copy *copy);
/* See xenfork_disk_usage().  DISK */
int xenfork__sys_file_usage(xenfork_ctx *ctx, const char *path,
                            uint64_t *allocated_kib_out, uint64_t *own_kib_out);
/*
 * Check that files in this file's directory can be reflinked.  DISK, not
 * logged: they cannot; is_full_out: only for lack of space
 */
int xenfork__sys_can_reflink(xenfork_ctx *ctx, const char *path,
                             bool *is_full_out);
/*
 * Tell whether hardly anything fits into the file system of an absolute path.
 */
bool xenfork__sys_is_full(const char *path);
/* Check that it is a thin volume of LVM.  DISK, not logged: it is not */
int xenfork__sys_lv_is_thin(xenfork_ctx *ctx, const char *path);
/*
 * Check that LVM makes snapshots in the pool of this thin volume.  DISK with
 * remedy, not logged: not in its present state
 */
int xenfork__sys_lv_check_pool(xenfork_ctx *ctx, const char *path);
/*
 * Return the folder of the device names of the volume's group, "/dev/vg";
 * caller frees.  DISK, not logged: it is not a volume
 */
int xenfork__sys_lv_dir(xenfork_ctx *ctx, const char *path, char **dir_out);
/* Make a thin snapshot; dst is new, in such a folder.  DISK */
int xenfork__sys_lv_snapshot(xenfork_ctx *ctx, const char *src, const char *dst,
                             bool is_base);
/* Return the space that the volume has in its pool, shared or not.  DISK */
int xenfork__sys_lv_usage(xenfork_ctx *ctx, const char *path,
                          uint64_t *allocated_kib_out);
/* Tell whether there is a volume of that name, in use or not.  DISK */
int xenfork__sys_lv_exists(xenfork_ctx *ctx, const char *path,
                           bool *exists_out);
/* Remove a volume.  Absent already: success.  DISK */
int xenfork__sys_lv_remove(xenfork_ctx *ctx, const char *path);
/* VHDs, by blktap: host/vhd.c.  Paths are absolute.  DISK */
#define XENFORK__VHD_PREFIX "vhd:" /* of such a disk, for its block script */
#define XENFORK__AIO_PREFIX "aio:" /* of a raw file, for tapdisk */
struct xenfork__vhd {
    uint32_t depth;     /* the file and all its backing files */
    uint32_t allocated; /* blocks of 2 MiB that it has itself */
    char *parent;       /* caller frees; NULL: none */
};
/*
 * Read the properties of a VHD.  NOTFOUND, not logged: there is no file.  XEN:
 * vhd-util cannot tell
 */
int xenfork__sys_vhd_query(xenfork_ctx *ctx, const char *path,
                           struct xenfork__vhd *out);
/*
 * Make an empty VHD with a parent; path is new, and writable; owner and mode
 * are otherwise the parent's.
 */
int xenfork__sys_vhd_snapshot(xenfork_ctx *ctx, const char *parent,
                              const char *path);
/* Coalesce a VHD into its parent; this may be repeated. */
int xenfork__sys_vhd_coalesce(xenfork_ctx *ctx, const char *path);
/* Give a VHD another parent with the same contents; the VHD may be in use */
int xenfork__sys_vhd_relink(xenfork_ctx *ctx, const char *path,
                            const char *parent);
/* Turn an empty VHD into one without a parent, with the UUID of @like. */
int xenfork__sys_vhd_stand_alone(xenfork_ctx *ctx, const char *path,
                                 const char *like);
/* Flush a file and its name to the disk. */
int xenfork__sys_vhd_sync(xenfork_ctx *ctx, const char *path);
int xenfork__sys_vhd_usage(xenfork_ctx *ctx, const char *path,
                           uint64_t *kib_out);
/* A tapdisk, and which of its disks: host/tap.c.  DISK */
struct xenfork__tapdisk {
    unsigned int pid;
    int minor;
    uint64_t started; /* in clock ticks after boot, proc(5); 0: not known */
};
/*
 * Return when the process that has this number now was started; 0: there is
 * none.
 */
uint64_t xenfork__sys_process_started(unsigned int pid);
/* Tell whether the tapdisk still runs, and no other process has its number. */
bool xenfork__sys_tap_is_alive(const struct xenfork__tapdisk *tapdisk);
/* Pause a tapdisk: its requests wait, and it has no file open. */
int xenfork__sys_tap_pause(xenfork_ctx *ctx,
                           const struct xenfork__tapdisk *tapdisk);
/* Resume a tapdisk: it opens the file that the path leads to now. */
int xenfork__sys_tap_resume(xenfork_ctx *ctx,
                            const struct xenfork__tapdisk *tapdisk);
int xenfork__sys_tap_is_paused(xenfork_ctx *ctx,
                               const struct xenfork__tapdisk *tapdisk,
                               bool *is_paused_out);
/*
 * Find the tapdisk that serves a VHD for writing, if it has been attached as
 * below.  NOTFOUND, not logged: none does
 */
int xenfork__sys_tap_find(xenfork_ctx *ctx, const char *path,
                          struct xenfork__tapdisk *tapdisk_out);
/* Return a line for people; caller frees. */
int xenfork__sys_tap_status(xenfork_ctx *ctx, const char *path,
                            char **text_out);
/*
 * Return the device that the tapdisk is for, "backend/vbd/3/51712"; caller
 * frees.  NOTFOUND, not logged: there is none
 */
int xenfork__sys_tap_user(xenfork_ctx *ctx, const char *path, char **user_out);
/*
 * Return the domain that uses the VHD.  NOTFOUND, not logged: nobody, or no
 * domain
 */
int xenfork__sys_tap_domain(xenfork_ctx *ctx, const char *path,
                            uint32_t *domid_out);
/*
 * Attach a VHD, with a tapdisk of its own, behind a device: host/tap-attach.c.
 * Only one may write; each reader has a tapdisk of its own.  user: its purpose,
 * in one word.  node_out: the device, or the socket; caller frees.  INUSE:
 * another writes
 */
#define XENFORK__TAP_READONLY 1U
#define XENFORK__TAP_SOCKET   2U /* for tapback; no device */
int xenfork__sys_tap_attach(xenfork_ctx *ctx, const char *path,
                            const char *user, unsigned int flags,
                            char **node_out);
/*
 * Detach the tapdisk of this user; NULL: of the writer.  Absent already:
 * success.  Every trace of it is removed: host/tap-detach.c
 */
int xenfork__sys_tap_detach(xenfork_ctx *ctx, const char *path,
                            const char *user);
/* Detach the tapdisk of a domain that is gone, and writes no more; likewise. */
int xenfork__sys_tap_release(xenfork_ctx *ctx, const char *path,
                             uint32_t domid);
/*
 * Disks that a domain's QEMU serves (qdisk) from qcow2 files: host/qemu.c.
 * Nodes and jobs have the names that disk/qcow2/driver.h makes.  DISK: QEMU
 * refuses, or does not answer; NOTFOUND, not logged: it is gone
 */
#define XENFORK__QEMU_NAME 48U

/* A file, and its format in QEMU's words. */
struct xenfork__image_file {
    const char *path, *format;
};

/* The node from which a disk is served. */
struct xenfork__qemu_top {
    char node[XENFORK__QEMU_NAME];
    char *backing;  /* what its file's header says; "": nothing */
    bool is_direct; /* past the host's cache */
};
int xenfork__sys_qemu_top(xenfork_ctx *ctx, uint32_t domid, const char *vdev,
                          struct xenfork__qemu_top *out);
void xenfork__qemu_top_free(struct xenfork__qemu_top *top);
#define cleanup_qemu_top __attribute__((cleanup(xenfork__qemu_top_free)))
/*
 * Return how much space the file takes that a disk's node has open, of whatever
 * format.  NOTFOUND, not logged: there is no such node, or it does not say
 */
int xenfork__sys_qemu_allocated(xenfork_ctx *ctx, uint32_t domid,
                                const char *vdev, uint64_t *bytes_out);
/* Add a node for an overlay, without a backing node before the switch. */
int xenfork__sys_qemu_add(xenfork_ctx *ctx, uint32_t domid,
                          const struct xenfork__qemu_top *top, const char *node,
                          const char *path);
/*
 * Take a snapshot: flush @record, and serve the disk from @overlay on top of
 * it.
 */
int xenfork__sys_qemu_snapshot(xenfork_ctx *ctx, uint32_t domid,
                               const char *node, const char *overlay);
/* Remove a node that is not in use.  Absent already: success. */
int xenfork__sys_qemu_remove(xenfork_ctx *ctx, uint32_t domid,
                             const char *node);
/*
 * Begin a job that copies the contents of @top into @path, its backing file;
 * when it is ready, writes go to both.  @id: of the job, and of the node.  The
 * guest stands still until this returns
 */
int xenfork__sys_qemu_commit(xenfork_ctx *ctx, uint32_t domid,
                             const struct xenfork__qemu_top *top,
                             const char *id, const char *path);
/*
 * Begin a job that copies into @top what is between it and the file @depth
 * below, which its header calls @backing; it ends by itself.
 */
int xenfork__sys_qemu_stream(xenfork_ctx *ctx, uint32_t domid,
                             const struct xenfork__qemu_top *top,
                             const char *id, uint32_t depth,
                             const char *backing);
/*
 * Begin a job that copies into @top everything that it is backed by.
 * Afterwards @top has no backing file.  The job ends by itself.
 * bytes_per_second 0: as fast as it goes
 */
int xenfork__sys_qemu_flatten(xenfork_ctx *ctx, uint32_t domid,
                              const struct xenfork__qemu_top *top,
                              const char *id, uint64_t bytes_per_second);
/*
 * Begin a job that copies everything into another file, which is empty, as
 * xenfork__sys_qemu_commit() does.
 */
int xenfork__sys_qemu_mirror(xenfork_ctx *ctx, uint32_t domid,
                             const struct xenfork__qemu_top *top,
                             const char *id,
                             const struct xenfork__image_file *to,
                             uint64_t bytes_per_second);
int xenfork__sys_qemu_speed(xenfork_ctx *ctx, uint32_t domid, const char *id,
                            uint64_t bytes_per_second);
enum xenfork__qemu_job {
    XENFORK__QEMU_JOB_NONE,
    XENFORK__QEMU_JOB_RUNNING,
    XENFORK__QEMU_JOB_READY,
};
struct xenfork__qemu_job_info {
    enum xenfork__qemu_job state;
    char id[XENFORK__QEMU_NAME];
    uint64_t done, total; /* bytes; both may grow */
};
/* Return the state of xenfork's job on this disk. */
int xenfork__sys_qemu_job(xenfork_ctx *ctx, uint32_t domid, const char *vdev,
                          struct xenfork__qemu_job_info *out);
int xenfork__sys_qemu_cancel(xenfork_ctx *ctx, uint32_t domid,
                             const char *vdev);
/* Flush to the disk what has been written to a node. */
int xenfork__sys_qemu_flush(xenfork_ctx *ctx, uint32_t domid, const char *node);
/* Complete a commit that is ready: the disk is served from the backing file. */
int xenfork__sys_qemu_complete(xenfork_ctx *ctx, uint32_t domid,
                               const char *vdev, const char *id);
/* Sweep the nodes of the disk that nothing uses. */
int xenfork__sys_qemu_sweep(xenfork_ctx *ctx, uint32_t domid, const char *vdev,
                            const char *top);
/* Close the connection: another client may wait for it. */
void xenfork__sys_qemu_close(xenfork_ctx *ctx);
/* Tell whether a QEMU serves this domain, and can be reached. */
bool xenfork__sys_qemu_is_there(uint32_t domid);
/* Tell whether qemu-img can be run. */
bool xenfork__sys_has_qemu_img(void);
/* Commit a file that nobody serves to its backing file.  DISK */
int xenfork__sys_qemu_img_commit(xenfork_ctx *ctx, const char *path);
/* Make an empty image in an existing file, which keeps owner and mode.  DISK */
int xenfork__sys_qemu_img_create(xenfork_ctx *ctx,
                                 const struct xenfork__image_file *image,
                                 uint64_t bytes);
/* A block device behind which a disk is. */
struct xenfork__device {
    char node[128]; /* "/dev/loop1" */
    uint64_t number;
    bool is_loop;
    int fd; /* a loop device goes when nobody has it open.  -1: none */
};
/*
 * Serve a file or a block device as Xen's script block does, for a disk that
 * nobody else uses.  The caller closes fd.  DISK
 */
int xenfork__sys_serve(xenfork_ctx *ctx, const char *path, bool is_readonly,
                       struct xenfork__device *device_out);
/* Have a loop device stay when nobody has it open. */
int xenfork__sys_keep_loop(xenfork_ctx *ctx, int fd);
/*
 * Have a loop device go when nobody has it open any more, if it still is the
 * file's.
 */
void xenfork__sys_remove_loop(const char *node, const char *file);
/* Tell whether the kernel has a backend, "vbd-3-51712". */
bool xenfork__sys_has_backend(const char *name);
/*
 * Hold the host side of a NIC: the interface stays as its script has made it,
 * and each of its frames, in either direction, is dropped at once, not kept for
 * later.
 */
int xenfork__sys_hold(xenfork_ctx *ctx, const char *ifname);
/*
 * Wait until netback has made an interface, and set it up as vif-bridge does;
 * the link of one that is to be held stays down.  @mtu 0: the bridge's, which
 * is returned.  DEVICE: it does not come
 */
int xenfork__sys_join(xenfork_ctx *ctx, const char *ifname, const char *bridge,
                      bool is_held, uint32_t *mtu);
bool xenfork__sys_has_bridge(const char *bridge);
bool xenfork__sys_is_held(const char *ifname);
/* Check that the interface can be held.  DEVICE with remedy, not logged */
int xenfork__sys_can_hold(xenfork_ctx *ctx, const char *ifname);
/*
 * Tell whether a program passes the interface's frames on before any filter
 * sees them.
 */
bool xenfork__sys_is_switched(int ifindex);
int xenfork__sys_connect(xenfork_ctx *ctx, const char *ifname);
/*
 * Mute an interface: what is sent to the guest is dropped, as when it is held,
 * and nothing else changes.
 */
int xenfork__sys_mute(xenfork_ctx *ctx, const char *ifname);
/* Undo that.  The interface is gone: success */
int xenfork__sys_unmute(xenfork_ctx *ctx, const char *ifname);
/* The kernel's threads that serve NICs. */
#define XENFORK__NETBACK_THREADS 128U
struct xenfork__netback {
    uint32_t count;
    unsigned int threads[XENFORK__NETBACK_THREADS];
};
/* Add those of an interface. */
void xenfork__sys_netback(const char *ifname, struct xenfork__netback *netback);
/*
 * Wait until they have written all that they can into a guest that is muted and
 * does not run.  False: that took too long
 */
bool xenfork__sys_netback_wait(const struct xenfork__netback *netback,
                               uint32_t timeout_ms);
/*
 * Name the interface of the emulated NIC beside a PV one, "vif7.0-emu", of
 * IF_NAMESIZE bytes.  False: there is none
 */
bool xenfork__sys_emulated(const char *ifname, char *emulated);
/* Move a NIC's interfaces to another bridge, held or not: all, or none. */
int xenfork__sys_move(xenfork_ctx *ctx, const char *ifname, const char *from,
                      const char *to);
/*
 * Tell whether a process of xl watches the domain, to restart or remove it.
 * Only root's processes count.  In doubt: true, for example for an xl create -F
 * whose domain cannot be read.  proc: "/proc".  host/xl-process.c
 */
bool xenfork__sys_xl_watches(const char *proc, const char *name,
                             uint32_t domid);
/* Tell whether a domain is being saved or migrated. */
bool xenfork__sys_is_saved(uint32_t domid);
/*
 * Check that what connects a NIC is there: its script, and, for vif-bridge, the
 * bridge.  NULL: libxl's default.  DEVICE with remedy, not logged
 */
int xenfork__sys_can_join(xenfork_ctx *ctx, const char *script,
                          const char *bridge);
/* Check that it is a bridge.  NOTFOUND: no bridge of this host, with remedy */
int xenfork__sys_is_bridge(xenfork_ctx *ctx, const char *bridge);
/*
 * Start xenfork-keeper for a journal.  The keeper rolls it back when this
 * process ends without commit, and serves its clones after commit.
 * keeper_fd_out: write 'c' to say committed; closing it without: undo.
 */
int xenfork__sys_keeper(xenfork_ctx *ctx, const char *journal_id,
                        int *keeper_fd_out);
/* The argument in place of a journal: see collapse.h. */
#define XENFORK__KEEPER_COLLAPSE "--collapse"

#endif

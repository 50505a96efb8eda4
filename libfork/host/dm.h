/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Device-mapper, and the loop devices below it.  Errors: DISK unless said
 * otherwise; errnoval is what the kernel has answered.
 */
#ifndef LIBFORK_HOST_DM_H
#define LIBFORK_HOST_DM_H

#include "base/internal.h"

#include <sys/stat.h>

#define XENFORK__DM_DIR        "/dev/mapper/"
#define XENFORK__DM_NAME_BYTES 128U /* DM_NAME_LEN */

struct xenfork__dm_info {
    bool is_there, is_suspended, is_readonly;
    uint32_t open_count;
    uint32_t major, minor;
};
int xenfork__sys_dm_info(xenfork_ctx *ctx, const char *name,
                         struct xenfork__dm_info *info_out);

/* A line of a table, and those after it: each begins where the last ends. */
struct xenfork__dm_table {
    const struct xenfork__dm_table *next; /* NULL: the last */
    uint64_t sectors;
    const char *type; /* "linear", "thin", … */
    const char *params;
    bool is_readonly;
};
/* Create a device, in use at once. */
int xenfork__sys_dm_create(xenfork_ctx *ctx, const char *name,
                           const struct xenfork__dm_table *table);
/* Load a table, which is in use from the next resume on. */
int xenfork__sys_dm_load(xenfork_ctx *ctx, const char *name,
                         const struct xenfork__dm_table *table);
/* Forget the table that was loaded; nothing loaded: success. */
int xenfork__sys_dm_clear(xenfork_ctx *ctx, const char *name);
/*
 * Make new requests wait.  is_flushed: earlier requests are done first; else
 * they may wait, too
 */
int xenfork__sys_dm_suspend(xenfork_ctx *ctx, const char *name,
                            bool is_flushed);
int xenfork__sys_dm_resume(xenfork_ctx *ctx, const char *name);
/*
 * Remove a device; a program that has it open gets some seconds to close it.
 * Absent: success.  BUSY, not logged: it is still open
 */
int xenfork__sys_dm_remove(xenfork_ctx *ctx, const char *name);
/* Remove it likewise, but wait for half a second at most. */
int xenfork__sys_dm_remove_soon(xenfork_ctx *ctx, const char *name);
/*
 * Send a message to a device.  NOTFOUND, not logged: it is about a thing that
 * does not exist
 */
int xenfork__sys_dm_message(xenfork_ctx *ctx, const char *name,
                            const char *message);
/* Return type and parameters of the first line in use; caller frees both. */
int xenfork__sys_dm_table(xenfork_ctx *ctx, const char *name, char **type_out,
                          char **params_out);
/*
 * Call @each for each line in use, with the sector at which it begins; logs
 * nothing.
 */
int xenfork__sys_dm_lines(xenfork_ctx *ctx, const char *name,
                          void (*each)(void *opaque, uint64_t start,
                                       const struct xenfork__dm_table *line),
                          void *opaque);
/* Return the status of the first line of the table; caller frees. */
int xenfork__sys_dm_status(xenfork_ctx *ctx, const char *name,
                           char **status_out);
/* Return the status of the line that begins at @start. */
int xenfork__sys_dm_status_at(xenfork_ctx *ctx, const char *name,
                              uint64_t start, char **status_out);
/*
 * Wait until something has happened to it after the event of this number;
 * after NULL: do not wait.  now_out: the number of the last event.  NOTFOUND,
 * not logged: it is gone
 */
int xenfork__sys_dm_wait(xenfork_ctx *ctx, const char *name,
                         const uint32_t *after, uint32_t *now_out);

/*
 * A loop device of its own for a file.  It goes by itself when nobody has it
 * open: fd_out has, until the caller closes it.  The number of the device:
 * "7:3"
 */
#define XENFORK__LOOP_BYTES 24U
int xenfork__sys_loop(xenfork_ctx *ctx, const char *file, bool is_readonly,
                      int *fd_out, char device_out[XENFORK__LOOP_BYTES]);
/* Return "/dev/loop3" for "7:3": not every host has links for that in /dev. */
#define XENFORK__LOOP_NODE 64U
bool xenfork__sys_loop_node(const char *device,
                            char node_out[XENFORK__LOOP_NODE]);
/* Tell a loop device that its file has grown. */
int xenfork__sys_loop_grow(xenfork_ctx *ctx, const char *device);

/* Check that this host can have thin devices.  DISK, not logged: no */
int xenfork__sys_dm_check(xenfork_ctx *ctx);

/* Files and devices that hold disks: host/file.c */
/*
 * Return the node of the block device with this number, under the kernel's own
 * name if there is one, else @path; and an identity that does not depend on
 * names: "dm LVM-…", "wwid naa.5000…".  Where nothing tells that, is_out is the
 * name.  Caller frees both
 */
int xenfork__sys_device_name(xenfork_ctx *ctx, const char *path,
                             uint64_t number, char **node_out, char **is_out);
/* Return the node of the device with this identity.  DISK: there is none */
int xenfork__sys_device_find(xenfork_ctx *ctx, const char *is, char **node_out);
/*
 * The file or block device to which a path leads at the moment, by whatever
 * name.  Valid as long as the host runs.
 */
struct xenfork__disk_identity {
    bool is_device;
    uint64_t device; /* a block device's own number; a file's file system */
    uint64_t inode;  /* of a file */
};
/*
 * Identify the file or device to which a path leads.  DISK, logged: there is
 * none, or it is neither a file nor a block device
 */
int xenfork__sys_disk_identity(xenfork_ctx *ctx, const char *path,
                               struct xenfork__disk_identity *identity_out);
/*
 * Identify the file or device to which a path leads in a way that holds after a
 * reboot: "file INODE BORN BYTES written WHEN", or "device DIGEST".  "":
 * neither a file nor a block device.  DISK
 */
#define XENFORK__DISK_WRITTEN " written "
int xenfork__sys_disk_is(xenfork_ctx *ctx, const char *path,
                         char is_out[XENFORK__DISK_IS]);
static inline struct xenfork__disk_identity
xenfork__disk_identity_of(const struct stat *st)
{
    bool is_device = S_ISBLK(st->st_mode);

    return (struct xenfork__disk_identity){
        .is_device = is_device,
        .device = is_device ? st->st_rdev : st->st_dev,
        .inode = is_device ? 0 : st->st_ino};
}
static inline bool xenfork__disk_is_same(const struct xenfork__disk_identity *a,
                                         const struct xenfork__disk_identity *b)
{
    return a->is_device == b->is_device && a->device == b->device &&
           a->inode == b->inode;
}
/* The file that a loop device has: host/served.c */
#define XENFORK__LOOP_NAME 65U
struct xenfork__loop {
    struct xenfork__disk_identity file;
    uint64_t offset, bytes; /* the part that it has; bytes 0: to the end */
    bool is_readonly;
    char name[XENFORK__LOOP_NAME]; /* when it was made */
};
/*
 * Return the first line of DIR/NAME of sysfs; caller frees.  NULL: it has none
 */
char *xenfork__device_attribute(const char *dir, const char *name);
/*
 * Say what the device of a folder of sysfs is: "dm LVM-…", "wwid …".  udev:
 * the folder of udev's records.  Caller frees; NULL: out of memory
 */
char *xenfork__device_text(const char *dir, const char *udev);
/* Tell whether that is still the same device after a boot. */
bool xenfork__device_text_lasts(const char *text);
/*
 * Return the file of a loop device.  False: it is not one, or cannot be asked
 */
bool xenfork__sys_loop_file(uint64_t device, struct xenfork__loop *loop_out);
/*
 * Return the path that a loop device's file has now; caller frees.  NULL: it is
 * not a loop device
 */
char *xenfork__sys_loop_path(uint64_t device);
/*
 * Tell whether the process has that file, or device, open; is_writer: for
 * writing.  False: or it is gone
 */
bool xenfork__sys_has_open(uint32_t pid,
                           const struct xenfork__disk_identity *what,
                           bool is_writer);
/* Count how often the process has it open, in whatever mode. */
uint32_t xenfork__sys_count_open(uint32_t pid,
                                 const struct xenfork__disk_identity *what);
/* Tell whether it writes to another file that takes as much space. */
bool xenfork__sys_has_twin(uint32_t pid,
                           const struct xenfork__disk_identity *what,
                           uint64_t bytes);
/* Tell whether a link in a path was made after the process was started. */
bool xenfork__sys_has_newer_link(uint32_t pid, const char *path);
/*
 * Blocks that a disk lies in, at each level down to the disks and files at the
 * bottom (partitions, loop devices, device-mapper, md): host/areas.c.  A file is
 * one area.
 */
struct xenfork__area {
    struct xenfork__disk_identity at;
    uint64_t start, end; /* bytes */
    bool is_shared;      /* a thin pool: others have other blocks there */
};
struct xenfork__areas {
    struct xenfork__area *at;
    size_t count;
};
/* Find the areas of a file or device.  NOMEM */
int xenfork__sys_areas(xenfork_ctx *ctx,
                       const struct xenfork__disk_identity *what,
                       struct xenfork__areas *areas_out);
void xenfork__areas_free(struct xenfork__areas *areas);
#define cleanup_areas __attribute__((cleanup(xenfork__areas_free)))
/* Tell whether a block belongs to both. */
bool xenfork__areas_meet(const struct xenfork__areas *a,
                         const struct xenfork__areas *b);
/* Tell whether a file system is mounted there: "/srv".  False: or unknown */
bool xenfork__sys_is_mounted(const char *path);
/*
 * Return where the file system of a file or folder is mounted; caller frees.
 * NULL: it is that of "/", or unknown
 */
char *xenfork__sys_mount_of(const char *path);
/* Tell whether two paths lead to disks with a block in common.  DISK */
int xenfork__sys_overlaps(xenfork_ctx *ctx, const char *a, const char *b,
                          bool *is_out);
/*
 * Tell whether the process has a file or device with blocks there open for
 * writing.  False: also if the process is gone
 */
bool xenfork__sys_writes(xenfork_ctx *ctx, uint32_t pid,
                         const struct xenfork__areas *areas);
/* Return the size of a file or a block device.  is_file_out may be NULL */
int xenfork__sys_disk_size(xenfork_ctx *ctx, const char *path,
                           uint64_t *bytes_out, bool *is_file_out);
/*
 * Make a file so large, with the space for it; make the file first if need be.
 * BUSY, not logged: there is not enough space
 */
int xenfork__sys_file_extend(xenfork_ctx *ctx, const char *path,
                             uint64_t bytes);
/*
 * Make a file immutable, or end that, where the file system can: nobody may
 * write to it, rename or remove it.  That it is so is durable when the file is
 * flushed, the end of it at once.
 */
int xenfork__sys_file_protect(xenfork_ctx *ctx, const char *path,
                              bool is_protected);
/* Tell whether the file system can protect the file. */
int xenfork__sys_file_can_protect(xenfork_ctx *ctx, const char *path,
                                  bool *can_out);
int xenfork__sys_file_is_protected(xenfork_ctx *ctx, const char *path,
                                   bool *is_out);
/* Copy these blocks to the same place in another file or device, durably. */
int xenfork__sys_disk_copy(xenfork_ctx *ctx, const char *from, const char *to,
                           const uint64_t *blocks, size_t count,
                           size_t block_bytes);
/*
 * List the data files of our pools in use, as the kernel knows them.  Caller
 * frees each, and the array
 */
int xenfork__sys_pools(xenfork_ctx *ctx, char ***data_out, size_t *count_out);
/*
 * Start a process that makes this pool larger while it is in use; data: its
 * file
 */
int xenfork__sys_pool_watch(xenfork_ctx *ctx, const char *dir,
                            const char *data);

#define XENFORK__WRITER 64U
/*
 * Name the program or device that has a file, or a device, open for writing:
 * "qemu-img (process 12)", "/dev/loop3".  A loop device that is being removed
 * is waited for.  False: there is none, or the file is absent
 */
bool xenfork__sys_writer(xenfork_ctx *ctx, const char *path,
                         char name_out[XENFORK__WRITER]);

#endif

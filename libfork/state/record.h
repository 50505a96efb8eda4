/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Records of images, clones and frozen sources: STATE/images/UUID,
 * STATE/clones/UUID and STATE/frozen/UUID, each a directory with a record; an
 * image's holds its stream and its configuration too.
 */
#ifndef LIBFORK_STATE_RECORD_H
#define LIBFORK_STATE_RECORD_H

#include "base/ids.h"
#include "base/internal.h"
#include "state/files.h"

struct xenfork__record_disk {
    uint32_t index; /* in the configuration */
    char *vdev;
    char *driver; /* see disk.h */
    char *path;   /* the base; the clone's overlay */
    char *from;   /* image: the source's; "" for a clone's */
    /* A second file, which is removed with it: see detach-disk.c.  "": none */
    char *other_driver, *other;
};

/*
 * The file or device that a read-only disk was when the image, or the clone,
 * was made.
 */
struct xenfork__record_shared {
    char vdev[32];
    char is[XENFORK__DISK_IS];
};

struct xenfork__record_nic {
    int devid;
    uint8_t mac[6];
    char mac_text[XENFORK__MAC_CHARS];
    int link;     /* XENFORK_LINK_*; AUTO: to be connected at the ack */
    int first;    /* at the fork */
    bool is_held; /* in lists: at this moment */
};

#define XENFORK__LEFT_BY 80

struct xenfork__record {
    int kind; /* XENFORK_KIND_* */
    uint8_t uuid[16];
    char *name;
    uint32_t domid;                 /* when it was made */
    char boot[XENFORK__UUID_CHARS]; /* of the host, that the domid is of */
    uint8_t parent[16];             /* an image's source, a clone's image */
    uint8_t image[16]; /* clone: what it was forked from, for good */
    /* Whose pages it has: its source, the source of that, if a clone, ... */
    uint32_t source_count;
    uint8_t (*sources)[16];
    char *parent_name;
    char journal[XENFORK__UUID_CHARS]; /* that made it */
    char freeze[XENFORK__UUID_CHARS];  /* an image's: see frozen.h; or "" */
    uint64_t created_s;
    uint64_t pages;                       /* guest memory */
    bool is_kept;                         /* image: outlives its clones */
    uint32_t hydrate;                     /* clone: XENFORK__HYDRATE_* */
    uint32_t ephemeral;                   /* clone: XENFORK__EPHEMERAL_* */
    uint32_t priority;                    /* clone: see daemon/memory.h */
    uint64_t owned;                       /* clone: see op/reserve.h; or 0 */
    uint64_t reserved;                    /* clone: pages, at the fork */
    uint32_t hydrated;                    /* clone: per cent */
    uint32_t detached;                    /* clone: per cent */
    char generation[XENFORK__UUID_CHARS]; /* clone */
    bool is_ready;    /* clone: has adapted, at this start */
    bool is_reseeded; /* clone: its random numbers are its own */
    char *left;       /* clone: "saved in FILE", as its user began to; or "" */
    char left_by[XENFORK__LEFT_BY]; /* "BOOT PID START": who takes it there */
    uint32_t disk_count;
    struct xenfork__record_disk *disks;
    uint32_t shared_count;
    struct xenfork__record_shared *shared;
    uint32_t nic_count; /* the clone's own; an image's source's */
    struct xenfork__record_nic *nics;
};

/* When a clone is hydrated: see XENFORK_FORK_NO_HYDRATE. */
#define XENFORK__HYDRATE_NOW   0U
#define XENFORK__HYDRATE_AUTO  1U
#define XENFORK__HYDRATE_NEVER 2U
/* When xenforkd removes a clone: see daemon/ephemeral.h. */
#define XENFORK__EPHEMERAL_NEVER    0U
#define XENFORK__EPHEMERAL_POWEROFF 1U
#define XENFORK__EPHEMERAL_CRASH    2U

#define XENFORK__FILE_CONFIG "config.json"
#define XENFORK__FILE_STREAM "stream"

void xenfork__record_free(struct xenfork__record *record);
/* Tell whether a clone is to be hydrated in the background, and is not yet. */
bool xenfork__wants_hydration(const struct xenfork__record *clone);
int xenfork__record_add_disk(xenfork_ctx *ctx, struct xenfork__record *record,
                             uint32_t index, const char *vdev,
                             const char *driver, const char *path,
                             const char *from);
/* Note a second file of a disk; "": none any more */
int xenfork__record_disk_beside(xenfork_ctx *ctx,
                                struct xenfork__record *record, uint32_t disk,
                                const char *driver, const char *path);
/* Let a disk and its second file change places. */
void xenfork__record_disk_swap(struct xenfork__record *record, uint32_t disk);
int xenfork__record_add_shared(xenfork_ctx *ctx, struct xenfork__record *record,
                               const char *vdev, const char *is);
int xenfork__record_add_source(xenfork_ctx *ctx, struct xenfork__record *record,
                               const uint8_t source[16]);
/* Note all sources of another record, too. */
int xenfork__record_add_sources(xenfork_ctx *ctx,
                                struct xenfork__record *record,
                                const struct xenfork__record *other);
bool xenfork__record_has_source(const struct xenfork__record *record,
                                const uint8_t source[16]);
int xenfork__record_add_nic(xenfork_ctx *ctx, struct xenfork__record *record,
                            int devid, const uint8_t mac[6], int link);
/*
 * Find a NIC.  NULL: it has no entry; one of the same number and another MAC
 * was another NIC's
 */
struct xenfork__record_nic *xenfork__record_find_nic(
    const struct xenfork__record *record, int devid, const uint8_t mac[6]);
/*
 * Return a path in the record's directory; file NULL: the directory.  Caller
 * frees
 */
char *xenfork__record_path(const xenfork_ctx *ctx, int kind,
                           const uint8_t uuid[16], const char *file);
int xenfork__record_save(xenfork_ctx *ctx,
                         const struct xenfork__record *record);
/* Load a record.  NOTFOUND, not logged */
int xenfork__record_load(xenfork_ctx *ctx, int kind, const uint8_t uuid[16],
                         struct xenfork__record **record_out);
/* Remove the directory of a record; not its disks. */
int xenfork__record_remove(xenfork_ctx *ctx, int kind, const uint8_t uuid[16]);
/* List the names of folders, with or without a record; xenfork__names_free() */
int xenfork__record_names(xenfork_ctx *ctx, int kind, char ***names_out,
                          size_t *count_out);

struct xenfork__records {
    size_t count;
    struct xenfork__record **records; /* in order of creation */
    size_t unwritten;  /* more, whose records are not there yet */
    size_t unreadable; /* and more, left out */
};
/* Load all records; unreadable ones are left out with a warning. */
int xenfork__records_load(xenfork_ctx *ctx, int kind,
                          struct xenfork__records *records_out);
void xenfork__records_free(struct xenfork__records *records);
/* Note the domain that the record is of, or will be of. */
void xenfork__record_set_domid(const xenfork_ctx *ctx,
                               struct xenfork__record *record, uint32_t domid);
/* Tell, by its number alone, whether this is the domain that was made. */
bool xenfork__record_has_domid(const xenfork_ctx *ctx,
                               const struct xenfork__record *record,
                               uint32_t domid);
static inline void xenfork__record_cleanup(struct xenfork__record **record)
{
    int e = errno;

    xenfork__record_free(*record);
    errno = e;
}
#define cleanup_record  __attribute__((cleanup(xenfork__record_cleanup)))
#define cleanup_records __attribute__((cleanup(xenfork__records_free)))

#endif

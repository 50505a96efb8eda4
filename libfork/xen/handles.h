/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Declarations for the files of xen/: handles, libxl operations, xenstore. */
#ifndef LIBFORK_XEN_HANDLES_H
#define LIBFORK_XEN_HANDLES_H

#include "base/internal.h"

#include <libxl.h>
#include <libxl_event.h>
#include <xencall.h>
#include <xenctrl.h>
#include <xenforeignmemory.h>
#include <xenstore.h>
#include <xentoollog.h>

#include "base/ids.h"

/*
 * Xen 4.22 chooses an id for this one alone, older ones for every reserved id
 * (domctl.c, XEN_DOMCTL_createdomain).
 */
#ifndef DOMID_ANY
#define DOMID_ANY 0x7ff5U
#endif

struct xenfork__xen {
    xentoollog_logger drop;    /* drops all, where the caller has no logger */
    xentoollog_logger *logger; /* for every Xen library; never NULL */
    libxl_ctx *xl;
    xc_interface *xch;
    xencall_handle *call;
    xenforeignmemory_handle *fmem;
    struct xs_handle *xs;
    bool is_watching;             /* @releaseDomain, in wait_event */
    struct xenfork__batch *batch; /* buffers of xen/memory.c; NULL at first */
    struct xenfork__pipe *pipe;   /* xen/pipe.c */
    bool has_own_domid;           /* read already */
    uint32_t own_domid;
};

/* Read pages of a domain, one after the other; and set one to zero. */
int xenfork__xen_read_pages(xenfork_ctx *ctx, uint32_t domid,
                            const uint64_t *gfns, uint32_t count,
                            uint8_t *pages_out);
int xenfork__xen_clear_page(xenfork_ctx *ctx, uint32_t domid, uint64_t gfn);

/*
 * Operations of libxl.  One that can start a process (hotplug script, save
 * helper, device model, lock holder, destroyer) must not be called with a
 * NULL ao_how: libxl leaves SIGCHLD alone here (xen/open.c), so it is
 * xenfork__op_turn() that notices when a child has ended.
 *
 *     xenfork__op_init(&op);
 *     r = libxl_domain_destroy(xl, domid, &op.how);
 *     r = xenfork__op_wait(ctx, &op, r);
 */
struct xenfork__op {
    libxl_asyncop_how how;
    bool is_done;
    int rc; /* libxl's, valid when done */
};

void xenfork__op_init(struct xenfork__op *op);
/* Let libxl work once, for some milliseconds at most. */
void xenfork__op_turn(xenfork_ctx *ctx);
/*
 * Wait until an operation is done; @r: the result of starting it.  Returns
 * libxl's code.
 */
int xenfork__op_wait(xenfork_ctx *ctx, struct xenfork__op *op, int r);
/* Wait, and say what could not be done to a domain: "pause". */
int xenfork__op_done(xenfork_ctx *ctx, struct xenfork__op *op, int r,
                     const char *what, uint32_t domid);

/* Count requests to xenstored, for each of which libxenstore waits. */
static inline void xenfork__xs_count(xenfork_ctx *ctx, uint64_t requests)
{
    xenfork__count(ctx, XENFORK_COUNT_XENSTORE_OPS, requests);
    xenfork__count(ctx, XENFORK_COUNT_XENSTORE_WAITS, requests);
}

/*
 * xenstore, counted.  Paths are formatted.  Read and list: the caller frees;
 * NULL with errno, ENOENT when there is no such node.
 */
char *xenfork__xs_read(xenfork_ctx *ctx, xs_transaction_t t, const char *fmt,
                       ...) __attribute__((format(printf, 3, 4)));
char **xenfork__xs_list(xenfork_ctx *ctx, unsigned int *count_out,
                        const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
bool xenfork__xs_write(xenfork_ctx *ctx, xs_transaction_t t, const char *value,
                       const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
/* Remove a node; true also when it does not exist. */
bool xenfork__xs_rm(xenfork_ctx *ctx, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* Transactions that others get between; a guest may do so for ever. */
#define XENFORK__XS_TRIES 100U
/* Read a decimal number: 1, or 0 when there is none, or -1 with errno. */
int xenfork__xs_u32(xenfork_ctx *ctx, uint32_t *value_out, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Below libxl's own directory of a domain, which goes with the domain. */
#define XENFORK__MARK           "xenfork"
#define XENFORK__MARK_SUSPENDED "suspended"
#define XENFORK__MARK_UNWATCHED \
    "unwatched" /* it was, and xl did not watch it */

/* The head of every ring, whatever its protocol (public/io/ring.h). */
struct xenfork__ring_head {
    uint32_t req_prod;
    uint32_t req_event;
    uint32_t rsp_prod;
    uint32_t rsp_event;
};

/* Return the domid of our own domain. */
uint32_t xenfork__own_domid(xenfork_ctx *ctx);

/*
 * Parse libxl's record of a domain into @config, which the caller has
 * initialised, and disposes of.  Nobody searches its text: json-c (libxl 4.21)
 * writes "/" as "\/".
 */
int xenfork__stored_config(xenfork_ctx *ctx, uint32_t domid,
                           libxl_domain_config *config);
/* Change a stored configuration.  False: out of memory. */
typedef bool xenfork__stored_change_fn(libxl_domain_config *config,
                                       const void *opaque);
int xenfork__stored_change(xenfork_ctx *ctx, uint32_t domid,
                           xenfork__stored_change_fn *change,
                           const void *opaque);

/* Store a domain's record; json_out: its text, caller frees.  NULL: none */
int xenfork__stored_write(xenfork_ctx *ctx, uint32_t domid,
                          libxl_domain_config *config, char **json_out);

struct xenfork__clone_config; /* xen/xen.h */
/*
 * Make a source's configuration that of its clone: xen/restore.c.  The user has
 * configured the rest, as xsdata and on_* policies.
 */
int xenfork__xl_clone(xenfork_ctx *ctx, libxl_domain_config *config,
                      const struct xenfork__clone_config *clone);

/* Return the directory of a disk's backend; NULL: none.  Caller frees */
char *xenfork__xen_disk_backend(xenfork_ctx *ctx, uint32_t domid,
                                const char *vdev);

/*
 * Parse a JSON that libxl gave; the caller disposes of the result, also on
 * failure.
 */
int xenfork__xl_config(xenfork_ctx *ctx, const char *json,
                       libxl_domain_config *config);
/*
 * Complete a name of blkback's that is not an absolute path: it is below /dev,
 * as Xen's block script takes it; for a file, it is the file of the loop
 * device.  If that is not known, or without memory, the name stays.  backend:
 * its directory
 */
void xenfork__xl_disk_name(xenfork_ctx *ctx, libxl_device_disk *disk,
                           const char *backend);
/* The node that tells whether a domain has a sharing ring: xen/enomem.c. */
#define XENFORK__RING_NOTE "/libxl/%u/xenfork-ring"
struct xenfork__capture;
/* Tell whether a domain has a device model: it is HVM, and not PVH. */
bool xenfork__xen_has_emulator(xenfork_ctx *ctx, uint32_t domid);
/*
 * Capture QEMU's state, which libxl saved as it suspended the domain:
 * xen/emulator.c
 */
int xenfork__xen_emulator_capture(xenfork_ctx *ctx, uint32_t domid,
                                  struct xenfork__capture *c);
/* Remove the file that it was saved to. */
void xenfork__xen_emulator_forget(uint32_t domid);
/* Tell whether a QEMU that was started to wait has loaded its state. */
int xenfork__xen_emulator_is_loaded(xenfork_ctx *ctx, uint32_t domid,
                                    bool *is_out);
/* Let it run, which libxl waits for. */
int xenfork__xen_emulator_run(xenfork_ctx *ctx, uint32_t domid);

struct xenfork__config;
/*
 * List the devices that cannot be forked: xen/refused.c.  False: out of memory
 */
bool xenfork__xl_refused(struct xenfork__config *to,
                         const libxl_domain_config *from);

/* Set the paging pools of a source and its image to what both need. */
int xenfork__pools_set(xenfork_ctx *ctx, uint32_t source, uint64_t max_pages,
                       uint32_t image);
/*
 * Add to a pool the tables that Xen may need to map each of these pages by
 * itself; xenfork__xen_pool_limit() takes back those that it did not.  The
 * domain does not run meanwhile.  HOSTMEM
 */
int xenfork__pool_add(xenfork_ctx *ctx, uint32_t domid, const uint64_t *gfns,
                      uint32_t count, uint64_t *before_out);

/* See xenfork__xen_disk_moved(). */
int xenfork__xl_disk_moved(xenfork_ctx *ctx, libxl_domain_config *config,
                           const char *vdev, const char *path,
                           const char *format);

/* Tell whether a setting is given, and true. */
static inline bool xenfork__xl_is_true(libxl_defbool value)
{
    return !libxl_defbool_is_default(value) && libxl_defbool_val(value);
}

/* Put a copy of @by in the place of a text.  False: out of memory. */
static inline bool xenfork__replace_text(char **text, const char *by)
{
    char *copy = strdup(by);

    if (!copy)
        return false;
    free(*text);
    *text = copy;
    return true;
}

#endif

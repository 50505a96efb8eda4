/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Tapdisks, by blktap's tap-ctl: for sys-tap*.c.  One serves one disk, to a
 * device of the kernel's nbd or, where tapback has told it, to the guest's
 * ring.  Which one is in a record of one line in
 * /run/xenfork/tap, named after the file that it serves: `tap-ctl list` asks
 * every tapdisk there is, and waits for ever for one that hangs.  A minor is
 * given back by nobody but us, so a record with its minor cannot mean
 * somebody else's tapdisk.
 */
#ifndef LIBFORK_HOST_TAP_H
#define LIBFORK_HOST_TAP_H

#include "base/internal.h"
#include "host/host.h"

#define XENFORK__TAP_CONTROL "/run/blktap-control"

#define XENFORK__TAP_NODE_BYTES 64
#define XENFORK__TAP_USER_BYTES 64

struct xenfork__tap {
    char *file;                         /* the record */
    int fd;                             /* it, locked; -1: not held */
    struct xenfork__tapdisk tapdisk;    /* pid 0, minor -1: none */
    char node[XENFORK__TAP_NODE_BYTES]; /* "": not connected */
    char user[XENFORK__TAP_USER_BYTES]; /* the device that it is for */
    bool is_unfinished;                 /* its maker was killed */
};

/*
 * Lock and read the record of a file: of its writer, or, where reader is not
 * NULL, of that device, which reads.  is_new: make an empty record if there is
 * none.  NOTFOUND, not logged: there is none.
 */
int xenfork__tap_hold(xenfork_ctx *ctx, const char *path, const char *reader,
                      bool is_new, struct xenfork__tap *tap);
/*
 * Parse a record: a line, and after it the output of a program that was killed
 * or has just ended, of which learnt_out tells whether it says what was made.
 * An empty record was left by a process that was killed.  False: malformed
 */
bool xenfork__tap_parse(struct xenfork__tap *tap, const char *text,
                        bool *learnt_out);
int xenfork__tap_write(xenfork_ctx *ctx, const struct xenfork__tap *tap);
void xenfork__tap_drop(struct xenfork__tap *tap);
/*
 * Run a program that makes the next thing that the record has not, in this
 * order: minor, tapdisk, device of nbd.  The record has it as soon as the
 * program says so.
 */
int xenfork__tap_run(xenfork_ctx *ctx, struct xenfork__tap *tap,
                     const char *const argv[]);
#define cleanup_tap __attribute__((cleanup(xenfork__tap_drop)))

/* Return the domid of the domain that it is for; false: it is for none. */
bool xenfork__tap_domid(const struct xenfork__tap *tap, uint32_t *domid_out);
/* Run tap-ctl VERB -p -m [EXTRA…] */
int xenfork__tap_ctl(xenfork_ctx *ctx, const struct xenfork__tapdisk *tapdisk,
                     const char *verb, const char *const extra[]);
/* Remove everything that the record names, and the record last. */
int xenfork__tap_remove(xenfork_ctx *ctx, const struct xenfork__tap *tap);

#endif

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Device-mapper, and the loop devices below it.  Errors: DISK unless said
 * otherwise; errnoval is what the kernel has answered.
 */
#ifndef LIBFORK_SYS_DM_H
#define LIBFORK_SYS_DM_H

#include "internal.h"

#define XENFORK__DM_DIR        "/dev/mapper/"
#define XENFORK__DM_NAME_BYTES 128U /* DM_NAME_LEN */

struct xenfork__dm_info {
    bool is_there, is_suspended, is_readonly;
    uint32_t open_count;
};
int xenfork__sys_dm_info(xenfork_ctx *ctx, const char *name,
                         struct xenfork__dm_info *info_out);

/* A table of one line. */
struct xenfork__dm_table {
    uint64_t sectors;
    const char *type; /* "linear", "thin", … */
    const char *params;
    bool is_readonly;
};
/* A new device, in use at once. */
int xenfork__sys_dm_create(xenfork_ctx *ctx, const char *name,
                           const struct xenfork__dm_table *table);
/* In use from the next resume on. */
int xenfork__sys_dm_load(xenfork_ctx *ctx, const char *name,
                         const struct xenfork__dm_table *table);
/* What was loaded is forgotten; nothing loaded: success. */
int xenfork__sys_dm_clear(xenfork_ctx *ctx, const char *name);
/*
 * What comes in from now on waits.  is_flushed: what has come in is done; else
 * it may wait, too
 */
int xenfork__sys_dm_suspend(xenfork_ctx *ctx, const char *name,
                            bool is_flushed);
int xenfork__sys_dm_resume(xenfork_ctx *ctx, const char *name);
/* Whoever has it open gets some seconds to close it.  Absent: success */
int xenfork__sys_dm_remove(xenfork_ctx *ctx, const char *name);
int xenfork__sys_dm_message(xenfork_ctx *ctx, const char *name,
                            const char *message);
/* Type and parameters of the table in use; caller frees both. */
int xenfork__sys_dm_table(xenfork_ctx *ctx, const char *name, char **type_out,
                          char **params_out);
/* What its target says of itself; caller frees. */
int xenfork__sys_dm_status(xenfork_ctx *ctx, const char *name,
                           char **status_out);
/*
 * Wait until something happens to it since event_nr, which is the number of
 * the last thing that did; 0 returns at once.  NOTFOUND, not logged: it is gone
 */
int xenfork__sys_dm_wait(xenfork_ctx *ctx, const char *name,
                         uint32_t *event_nr);

/*
 * A loop device of its own for a file.  It goes by itself when nobody has it
 * open: fd_out has, until the caller closes it.  The number of the device:
 * "7:3"
 */
#define XENFORK__LOOP_BYTES 24U
int xenfork__sys_loop(xenfork_ctx *ctx, const char *file, bool is_readonly,
                      int *fd_out, char device_out[XENFORK__LOOP_BYTES]);
/* Its file has grown. */
int xenfork__sys_loop_grow(xenfork_ctx *ctx, const char *device);

#endif

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Declarations for the files of the driver vhd. */
#ifndef LIBFORK_DISK_VHD_VHD_H
#define LIBFORK_DISK_VHD_VHD_H

#include "disk/disk.h"

/*
 * Suffix of the VHD that is to take the source's place, in the base's folder.
 */
#define XENFORK__VHD_NEW ".new"

/* Return the file of "vhd:/srv/web.vhd" */
const char *xenfork__vhd_file(const char *path);
/* Tell by its name whether a file was made by us. */
bool xenfork__vhd_is_ours(const char *file);
/* Parse "max-depth=N"; NULL: the default.  INVAL, not logged */
int xenfork__vhd_max_depth(xenfork_ctx *ctx, const char *options,
                           uint32_t *limit_out);
/*
 * Check that the file's writer has a tapdisk: disk/vhd/tapdisk.c.  NOTFOUND,
 * not logged: there is none
 */
int xenfork__vhd_is_served(xenfork_ctx *ctx, const char *file);
/*
 * Check that the path leads to the file that its tapdisk has open.  DISK with
 * remedy, not logged: no.  A tapdisk that is paused, or absent, has nothing
 * open
 */
int xenfork__vhd_check_served(xenfork_ctx *ctx, const char *file);
int xenfork__vhd_pause(xenfork_ctx *ctx, const char *file);
int xenfork__vhd_resume(xenfork_ctx *ctx, const char *file);
int xenfork__vhd_is_paused(xenfork_ctx *ctx, const char *file,
                           bool *is_paused_out);
/* Finish the relinking for a file that was coalesced, and is removed. */
int xenfork__vhd_forget_coalesced(xenfork_ctx *ctx, const char *file);
/*
 * Relink files that are backed by one that was coalesced, under the source's
 * lock.
 */
int xenfork__vhd_relink(xenfork_ctx *ctx,
                        const struct xenfork__collapse_request *request,
                        bool *again_out);
/* Remove what a detach of the file has begun.  Absent already: success */
int xenfork__vhd_forget_copy(xenfork_ctx *ctx, const char *file);

/* Operations of the driver: see disk.h. */
int xenfork__vhd_release(xenfork_ctx *ctx, const char *path);
int xenfork__vhd_path(xenfork_ctx *ctx, const struct xenfork__disk *disk,
                      const uint8_t uuid[16], char **path_out);
int xenfork__vhd_prepare(xenfork_ctx *ctx,
                         const struct xenfork__snapshot *snapshot);
int xenfork__vhd_snapshot(xenfork_ctx *ctx,
                          const struct xenfork__snapshot *snapshot);
int xenfork__vhd_abort(xenfork_ctx *ctx,
                       const struct xenfork__snapshot *snapshot);
int xenfork__vhd_collapse(xenfork_ctx *ctx,
                          const struct xenfork__collapse_request *request,
                          bool *again_out, char **to_out);
int xenfork__vhd_coalesce(xenfork_ctx *ctx,
                          const struct xenfork__collapse_request *request,
                          bool *again_out);
int xenfork__vhd_detach(xenfork_ctx *ctx,
                        const struct xenfork__detach_request *request);
int xenfork__vhd_detach_recover(xenfork_ctx *ctx,
                                const struct xenfork__snapshot *snapshot,
                                bool *is_switched_out);

#endif

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The domains that records are about: found by number, told apart, counted. */
#ifndef LIBFORK_OP_DOMAIN_H
#define LIBFORK_OP_DOMAIN_H

#include <string.h>

#include "state/record.h"
#include "xen/xen.h"

/*
 * Find a record by UUID, or by the domid that it has now.  NOTFOUND, not logged
 */
int xenfork__records_find(xenfork_ctx *ctx,
                          const struct xenfork__records *records,
                          const char *name,
                          struct xenfork__record **record_out);
/*
 * Return the state of the domain that was made.  NOTFOUND, not logged: it is
 * gone
 */
int xenfork__record_info(xenfork_ctx *ctx, const struct xenfork__record *record,
                         struct xenfork__dominfo *info_out);
/*
 * Find the domain that a clone is now: the one that was made; or one that was
 * restored, or created from its configuration, which has the clone's UUID and a
 * disk of the clone, or, if it has no disks, one of its MACs.  NOTFOUND, not
 * logged: none.  UUIDTAKEN with remedy, not logged: a domain has the UUID, and
 * is another
 */
int xenfork__clone_domid(xenfork_ctx *ctx, const struct xenfork__record *clone,
                         uint32_t *domid_out);
/*
 * Give an image's record the name that its source has today.  *domid_out is the
 * source; NONE: it is gone, and goes by its name of the fork
 */
int xenfork__source_refresh(xenfork_ctx *ctx, struct xenfork__record *image,
                            uint32_t *domid_out);
/*
 * Tell whether somebody has let an image run, so that its memory has changed.
 * While clones of it live, Xen does not: fork() in mem_sharing.c pauses it.
 */
bool xenfork__image_is_broken(const struct xenfork__dominfo *info);
/*
 * Count the live clones of an image that are not detached, and those of them
 * that are not hydrated.
 */
int xenfork__image_users(xenfork_ctx *ctx, const uint8_t image[16],
                         const struct xenfork__records *clones,
                         uint32_t *live_out, uint32_t *dependent_out);

/* Return the file of "qcow2:/srv/web.qcow2"; of other texts, the text. */
static inline const char *xenfork__path_file(const char *path)
{
    const char *slash = strchr(path, '/');

    return slash ? slash : path;
}

#endif

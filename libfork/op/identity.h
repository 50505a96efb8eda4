/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The identities of clones: names, UUIDs, MACs; requested, or chosen here. */
#ifndef LIBFORK_OP_IDENTITY_H
#define LIBFORK_OP_IDENTITY_H

#include "base/internal.h"
#include "base/spec.h"
#include "state/journal.h"
#include "xen/xen.h"

struct xenfork__identity {
    char *name;
    uint8_t uuid[16];
    uint8_t disks[16]; /* that its overlays are called by: the same, at first */
    uint32_t nic_count;
    struct xenfork__nic *nics; /* as in the configuration, MACs our own */
};

void xenfork__identities_free(struct xenfork__identity *ids, uint32_t count);

/* Identities that are in use on this host. */
struct xenfork__taken {
    char **names; /* ascending */
    size_t name_count;
    uint8_t *uuids; /* of clones; those of live domains Xen knows */
    size_t uuid_count;
    uint8_t *macs;
    size_t mac_count;
};
int xenfork__taken_load(xenfork_ctx *ctx, struct xenfork__taken *taken_out);
void xenfork__taken_free(struct xenfork__taken *taken);
bool xenfork__taken_has_name(const struct xenfork__taken *taken,
                             const char *name);
bool xenfork__taken_has_uuid(const struct xenfork__taken *taken,
                             const uint8_t uuid[16]);
/* Add a MAC that is in use from now on. */
int xenfork__taken_add_mac(xenfork_ctx *ctx, struct xenfork__taken *taken,
                           const uint8_t mac[6]);

/*
 * Check that the identity that is requested for one clone is free and valid.
 * INVAL, NAMETAKEN, MACTAKEN, UUIDTAKEN with text and remedy, not logged
 */
int xenfork__identity_check(xenfork_ctx *ctx, const xenfork_spec *spec,
                            uint32_t clone,
                            const struct xenfork__config *config,
                            const struct xenfork__taken *taken);
/*
 * Choose them all, and journal them, under the registry lock.  Names are
 * made from @stem.
 */
int xenfork__identities_choose(xenfork_ctx *ctx, const xenfork_spec *spec,
                               const char *stem,
                               const struct xenfork__config *config,
                               struct xenfork__journal *journal,
                               struct xenfork__identity **ids_out);

#endif

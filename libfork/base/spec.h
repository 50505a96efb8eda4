/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The request of the caller, read by check and fork. */
#ifndef LIBFORK_BASE_SPEC_H
#define LIBFORK_BASE_SPEC_H

#include "base/internal.h"

struct xenfork__pair {
    char *key, *value;
};

struct xenfork__nic_spec {
    uint32_t nic;
    bool has_mac;
    uint8_t mac[6];
    char *bridge; /* NULL: the source's */
    char *ip;     /* likewise */
    int link;     /* XENFORK_LINK_*; -1: the clone's default */
};

struct xenfork__clone_spec {
    char *name; /* NULL: made up */
    bool has_uuid;
    uint8_t uuid[16];
    bool is_paused;
    int link; /* XENFORK_LINK_* */
    uint32_t nic_count;
    struct xenfork__nic_spec *nics;
    uint32_t param_count;
    struct xenfork__pair *params;
};

#define XENFORK__DISK_AUTO     "auto"
#define XENFORK__DISK_NONE     "none"
#define XENFORK__WORD_CHARS    16U
#define XENFORK__OPTIONS_CHARS 64U

/* Return how a disk is to be forked: auto, none, or a driver's name. */
struct xenfork__disk_spec {
    char vdev[XENFORK__WORD_CHARS];
    char how[XENFORK__WORD_CHARS];
    char options[XENFORK__OPTIONS_CHARS]; /* the driver's; "": none */
};

struct xenfork_spec {
    uint32_t count;
    struct xenfork__clone_spec *clones;
    bool is_reserve_percent;
    uint64_t reserve;        /* per cent, or KiB */
    uint32_t source_reserve; /* per cent, of a source that waits */
    uint64_t leave_kib;      /* of the host's memory */
    uint32_t timeout_ms;
    uint32_t priority;
    int quiesce;           /* XENFORK_QUIESCE_* */
    uint32_t max_stun_ms;  /* 0: as long as it takes */
    uint32_t pace;         /* per cent of the time that the source keeps */
    uint8_t mac_prefix[3]; /* of made-up MACs */
    uint32_t flags;
    uint32_t disk_count;
    struct xenfork__disk_spec *disks;
};

/* Return the entry for a NIC; NULL: nothing was requested for it. */
const struct xenfork__nic_spec *xenfork__nic_spec(
    const struct xenfork__clone_spec *clone, uint32_t nic);
/*
 * Return how a disk is to be made; @spec NULL, or nothing was asked for it:
 * auto.
 */
const char *xenfork__spec_disk(const xenfork_spec *spec, const char *vdev);
/* Return the options of a disk's driver; NULL: none */
const char *xenfork__spec_disk_options(const xenfork_spec *spec,
                                       const char *vdev);
int xenfork__nic_link(const struct xenfork__clone_spec *clone, uint32_t nic);
#define XENFORK__IP_CHARS 63U
/* Check ADDRESS or ADDRESS/PREFIX, for a NIC's script */
bool xenfork__ip_is_valid(const char *text);
/* Do two lists of ADDRESS/PREFIX have an address in common? */
bool xenfork__params_share(const char *list, const char *other);
/*
 * Check a clone's parameters, for @nics NICs, against each other.  INVAL with
 * remedy
 */
int xenfork__params_check(xenfork_ctx *ctx, const xenfork_spec *spec,
                          uint32_t clone, uint32_t nics);
/* Return so much of the pages, rounded up. */
uint64_t xenfork__percent_of(uint64_t pages, uint32_t percent);
/* Return how many pages to reserve for a clone of a domain with this many. */
uint64_t xenfork__reserve_pages(const xenfork_spec *spec, uint64_t pages);

#endif

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Clones without libxl's restore, for the files of xen/ that make them.  They
 * do as libxl 4.17 and 4.20 does for a PVH domain; tests/live/fork/twin.t
 * compares the two.
 */
#ifndef LIBFORK_XEN_FAST_H
#define LIBFORK_XEN_FAST_H

#include "xen/handles.h"
#include "xen/xen.h"

#define XENFORK__FAST_MTU 1500 /* LIBXL_DEVICE_NIC_MTU_DEFAULT */

struct xenfork__fast {
    const struct xenfork__config *source; /* the caller's */
    libxl_domain_config config;     /* as the source's record has it */
    unsigned int scripts;           /* XENFORK__HOTPLUG_*: those that we know */
    bool is_on_one_node;            /* the host has no NUMA */
};

/* A clone, while it is made. */
struct xenfork__fast_clone {
    const libxl_domain_config *config; /* with all that libxl fills in */
    const struct xenfork__served *disks;
    uint32_t domid;
    uint64_t store_gfn, console_gfn;
    uint32_t store_port, console_port;
};

/*
 * Return why the clone cannot be made so, a text; NULL: it can.  @config has
 * all that libxl fills in: xen/fast-check.c
 */
const char *xenfork__fast_objection(const struct xenfork__fast *fast,
                                    const libxl_domain_config *config);
/* Return the number of a virtual disk, as "xvda"; false: none that we know. */
bool xenfork__fast_vdev(const char *vdev, uint32_t *devid_out);

/* Return the bridge that libxl takes. */
const char *xenfork__fast_bridge(const libxl_device_nic *nic);

/* Put all nodes that libxl writes: xen/fast-nodes.c */
void xenfork__fast_nodes(xenfork_ctx *ctx, uint32_t transaction,
                         const void *clone);
/* Put those by which hotplug scripts say that a NIC is ready. */
void xenfork__fast_nic_ready(xenfork_ctx *ctx, uint32_t domid, int devid,
                             uint32_t mtu);

#endif

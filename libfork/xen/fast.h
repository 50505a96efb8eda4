/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Clones without libxl's restore, for the files of xen/ that make them.  They
 * do as libxl 4.17 and 4.20 does for a PVH or HVM domain;
 * tests/live/fork/twin.t and hvm-twin.t compare the two.
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
    char *emulator; /* the program that the source's QEMU is; NULL: not known */
    bool is_on_one_node;            /* the host has no NUMA */
};

/* A clone, while it is made. */
struct xenfork__fast_clone {
    const libxl_domain_config *config; /* with all that libxl fills in */
    const struct xenfork__served *disks;
    uint32_t domid;
    uint64_t store_gfn, console_gfn;
    uint32_t store_port, console_port;
    const char *program; /* of an HVM clone's QEMU */
    uint32_t pid;        /* of it; 0: not started */
    uint64_t due_ns;     /* when it has to run */
    struct xenfork__qmp *qmp;
};

/* The configurations of one clone. */
struct xenfork__plan_configs {
    libxl_domain_config record; /* what libxl is to have of it */
    libxl_domain_config full;   /* with all that libxl fills in */
    struct xenfork__fast_clone clone;
};

#define XENFORK__FAST_IDE_DISKS  4U /* disks that QEMU emulates, by IDE */
#define XENFORK__FAST_AHCI_DISKS 6U /* by AHCI */
#define XENFORK__FAST_STATE_FD   3  /* where QEMU finds its state */

/*
 * Return why the clone cannot be made so, a text; NULL: it can.  @config has
 * all that libxl fills in: xen/fast-check.c
 */
const char *xenfork__fast_objection(const struct xenfork__fast *fast,
                                    const libxl_domain_config *config);
/*
 * Return the numbers of a virtual disk, as "xvda": for xenstore, and among the
 * disks.  False: none that we know
 */
bool xenfork__fast_vdev(const char *vdev, uint32_t *devid_out,
                        uint32_t *disk_out);

/* Return the program of a QEMU, as the source has it; caller frees. */
char *xenfork__fast_program(xenfork_ctx *ctx, const uint8_t source[16]);
/*
 * Return the arguments that libxl gives to QEMU when it restores a domain, or
 * what it adds to the environment; NULL: out of memory.
 */
char **xenfork__fast_args(const struct xenfork__fast_clone *clone);
char **xenfork__fast_env(const struct xenfork__fast_clone *clone);
void xenfork__fast_args_free(char **args);

/* Make the bare domain: xen/fast-domain.c */
int xenfork__fast_domain(xenfork_ctx *ctx, libxl_domain_config *config,
                         uint32_t image, struct xenfork__fast_clone *clone);

/* Return the bridge that libxl takes. */
const char *xenfork__fast_bridge(const libxl_device_nic *nic);

/* Put all nodes that libxl writes: xen/fast-nodes.c */
void xenfork__fast_nodes(xenfork_ctx *ctx, uint32_t transaction,
                         const void *clone);
/* Put those by which hotplug scripts say that a NIC is ready. */
void xenfork__fast_nic_ready(xenfork_ctx *ctx, uint32_t domid, int devid,
                             uint32_t mtu);

#endif

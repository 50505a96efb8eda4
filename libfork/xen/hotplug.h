/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The scripts that libxl runs for the devices of what we make and end. */
#ifndef LIBFORK_XEN_HOTPLUG_H
#define LIBFORK_XEN_HOTPLUG_H

#include "xen/handles.h"
#include "xen/xen.h"

/* Tell whether a script is Xen's own of this name, or ours; NULL is, too. */
bool xenfork__hotplug_is_stock(const char *script, const char *name);
/*
 * Return which of Xen's scripts is run for a device, XENFORK__HOTPLUG_*; 0:
 * another, or none.
 */
unsigned int xenfork__hotplug_of_disk(const libxl_device_disk *disk);
unsigned int xenfork__hotplug_of_nic(const libxl_device_nic *nic);
/*
 * Replace them where that makes no difference but to time.  For a clone,
 * between the start of libxl's operation, which fills in what the
 * configuration leaves to it, and its next turn.  For a domain that libxl
 * makes without a stream, before it begins: then its record names us, until it
 * is mended.  @nics NULL: none is held.
 */
void xenfork__hotplug_use(xenfork_ctx *ctx, libxl_domain_config *config,
                          const struct xenfork__nic *nics);
/* Make the record name again what @config names, as it was before. */
int xenfork__hotplug_mend(xenfork_ctx *ctx, uint32_t domid,
                          const libxl_domain_config *config);
/*
 * Write into xenstore what libxl is to run when it takes a domain apart.  If
 * that fails, it runs Xen's script.
 */
void xenfork__hotplug_use_at_end(xenfork_ctx *ctx, uint32_t domid);
/*
 * Take all devices from a domain that is to be destroyed, and wait until they
 * are let go: xen/release.c.  False: libxl is to do it
 */
bool xenfork__release_devices(xenfork_ctx *ctx, uint32_t domid);
/* Check that the domain's record names what the source's does. */
int xenfork__hotplug_check(xenfork_ctx *ctx, uint32_t domid);

#endif

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* NICs of clones that live: their host side. */
#ifndef LIBFORK_OP_NIC_H
#define LIBFORK_OP_NIC_H

#include "base/internal.h"
#include "base/spec.h"
#include "state/record.h"
#include "xen/xen.h"

/*
 * Let a held NIC drop what it was given; the guest can make that last seconds,
 * so no lock of others' is held.
 */
void xenfork__nic_flush(xenfork_ctx *ctx, uint32_t domid, int devid);
int xenfork__nic_connect(xenfork_ctx *ctx, uint32_t domid, int devid);
int xenfork__nic_hold(xenfork_ctx *ctx, uint32_t domid, int devid);
/* Check a NIC of a source for its clones.  DEVICE with remedy, not logged */
int xenfork__nic_check(xenfork_ctx *ctx, const xenfork_spec *spec,
                       uint32_t domid, const struct xenfork__config *config,
                       uint32_t nic);
/*
 * Check that the script and the bridge of a clone's NIC are there.  DEVICE with
 * remedy, not logged
 */
int xenfork__nic_check_place(xenfork_ctx *ctx, const xenfork_spec *spec,
                             const struct xenfork__config *config,
                             uint32_t nic);
/*
 * Hold the NICs of a restored clone that were held when it was saved.
 * *is_done_out false: some have no interface yet
 */
int xenfork__nics_hold_restored(xenfork_ctx *ctx, uint32_t domid,
                                bool *is_done_out);
/* Tell whether another NIC has the number of this one by now. */
bool xenfork__nic_is_replaced(xenfork_ctx *ctx, uint32_t domid,
                              const struct xenfork__record_nic *nic);
/* Tell whether a NIC is held; one that does not exist is not. */
int xenfork__nic_is_held(xenfork_ctx *ctx, uint32_t domid, int devid,
                         bool *is_held_out);

#endif

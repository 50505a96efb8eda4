/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* NICs of clones that live: their host side. */
#ifndef LIBFORK_NIC_H
#define LIBFORK_NIC_H

#include "internal.h"

int xenfork__nic_connect(xenfork_ctx *ctx, uint32_t domid, int devid);
int xenfork__nic_hold(xenfork_ctx *ctx, uint32_t domid, int devid);
/* One that is not there is not. */
bool xenfork__nic_is_held(uint32_t domid, int devid);

#endif

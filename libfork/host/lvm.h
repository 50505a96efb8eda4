/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Pools of LVM, for host/lvm.c. */
#ifndef LIBFORK_HOST_LVM_H
#define LIBFORK_HOST_LVM_H

#include "base/internal.h"

/* Check the pool of the volume "VG/LV": see xenfork__sys_lv_check_pool(). */
int xenfork__lv_check_pool(xenfork_ctx *ctx, const char *vg, const char *name);

#endif

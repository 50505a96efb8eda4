/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The result of a fork: filled in by fork and clone, read by the caller. */
#ifndef LIBFORK_OP_RESULT_H
#define LIBFORK_OP_RESULT_H

#include "base/ids.h"
#include "base/internal.h"
#include "op/view.h"
#include "xen/xen.h"

struct xenfork_clone {
    uint32_t domid;
    char name[XENFORK__NAME_MAX + 1];
    char uuid[XENFORK__UUID_CHARS];
    char generation[XENFORK__UUID_CHARS];
    bool is_ready, is_reseeded;
    char fault[XENFORK__FAULT_CHARS]; /* "": the agent has said nothing */
    const char *slow;  /* why libxl's restore has made it; NULL: it has not */
    uint64_t start_ns; /* when it began to run */
    uint32_t nic_count;
    struct xenfork_nic *nics;
    uint64_t ns[XENFORK_STAGES];
};

struct xenfork_result {
    uint32_t image_domid;
    char *image_name;
    uint32_t count;
    struct xenfork_clone *clones;
    uint64_t ns[XENFORK_STAGES];
    uint64_t counters[XENFORK_COUNTS];
    uint64_t kib[XENFORK_RESULT_KINDS];
};

int xenfork__result_new(xenfork_ctx *ctx, uint32_t count,
                        xenfork_result **result_out);

#endif

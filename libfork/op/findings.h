/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Findings of a check, which check.c adds. */
#ifndef LIBFORK_OP_FINDINGS_H
#define LIBFORK_OP_FINDINGS_H

#include "base/internal.h"

struct xenfork_finding {
    int code;
    char *text, *remedy;
};

struct xenfork_check {
    uint32_t count;
    struct xenfork_finding *findings;
    uint32_t disk_count;
    struct xenfork_disk *disks; /* vdev is the check's, driver and why static */
};

/* Note the outcome of one question: an error of ours becomes a finding. */
int xenfork__finding_note(xenfork_ctx *ctx, xenfork_check *check, int rc);

#endif

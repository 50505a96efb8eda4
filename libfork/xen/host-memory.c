/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The host's memory, and what is done to a clone because there is little. */
#include "xen/handles.h"

#include "xen/host-memory.h"

#include <string.h>

#define NODE   "/libxl/%u/xenfork-memory"
#define ASKED  "/libxl/%u/xenfork-target" /* "BEFORE ASKED", in KiB */
#define TARGET "/local/domain/%u/memory/target"
#define MOST   "/local/domain/%u/memory/static-max"

int xenfork__xen_short(xenfork_ctx *ctx, uint32_t domid, char short_out[16])
{
    cleanup_free char *value = xenfork__xs_read(ctx, XBT_NULL, NODE, domid);

    if (!value && errno != ENOENT)
        return xenfork__fail(ctx, XENFORK_E_XEN, errno,
                             "cannot read whether domain %u lacks memory",
                             domid);
    snprintf(short_out, 16, "%s", value ? value : "");
    return 0;
}

int xenfork__xen_set_short(xenfork_ctx *ctx, uint32_t domid, const char *is)
{
    bool ok = *is ? xenfork__xs_write(ctx, XBT_NULL, is, NODE, domid)
                  : xenfork__xs_rm(ctx, NODE, domid);

    if (!ok)
        return xenfork__fail(ctx, XENFORK_E_XEN, errno,
                             "cannot note whether domain %u lacks memory",
                             domid);
    return 0;
}

static int no_target(xenfork_ctx *ctx, uint32_t domid, int e)
{
    return xenfork__fail(ctx, XENFORK_E_XEN, e,
                         "domain %u: cannot set how much memory it should have",
                         domid);
}

/* Return the note of what the guest was asked; NULL, errno ENOENT: nothing. */
static char *asked(xenfork_ctx *ctx, uint32_t domid)
{
    return xenfork__xs_read(ctx, XBT_NULL, ASKED, domid);
}

/* Read what a guest is to have again; false: its target is another by now. */
static bool target_before(xenfork_ctx *ctx, uint32_t domid, const char *note,
                          uint32_t *before_out, uint32_t *less_out)
{
    uint32_t kib = 0, now = 0;

    if (sscanf(note, "%u %u", before_out, &kib) != 2 || kib > *before_out ||
        xenfork__xs_u32(ctx, &now, TARGET, domid) != 1 || now != kib)
        return false;
    *less_out = *before_out - kib;
    return true;
}

int xenfork__xen_is_asked(xenfork_ctx *ctx, uint32_t domid, bool *is_out,
                          uint32_t *kib_out)
{
    cleanup_free char *note = asked(ctx, domid);
    uint32_t before;

    if (!note && errno != ENOENT)
        return no_target(ctx, domid, errno);
    *is_out = note;
    if (!note || !target_before(ctx, domid, note, &before, kib_out))
        *kib_out = 0;
    return 0;
}

/* Note it first: whoever finds the note puts the target back. */
int xenfork__xen_ask_back(xenfork_ctx *ctx, uint32_t domid, uint32_t percent,
                          uint64_t most_kib, uint32_t *kib_out)
{
    char note[32], value[16];
    uint32_t most = 0, now = 0, less;
    uint64_t kib;
    bool is_asked;
    int rc = xenfork__xen_is_asked(ctx, domid, &is_asked, &less);

    *kib_out = 0;
    if (rc < 0 || is_asked)
        return rc;
    if (xenfork__xs_u32(ctx, &most, MOST, domid) != 1 ||
        xenfork__xs_u32(ctx, &now, TARGET, domid) != 1)
        return no_target(ctx, domid, errno);
    kib = (uint64_t)most * percent / 100;
    if (now > most_kib && kib < now - most_kib)
        kib = now - most_kib;
    if (now <= kib)
        return 0;
    snprintf(note, sizeof(note), "%u %u", now, (uint32_t)kib);
    snprintf(value, sizeof(value), "%u", (uint32_t)kib);
    if (!xenfork__xs_write(ctx, XBT_NULL, note, ASKED, domid) ||
        !xenfork__xs_write(ctx, XBT_NULL, value, TARGET, domid))
        return no_target(ctx, domid, errno);
    *kib_out = (uint32_t)kib;
    return 0;
}

int xenfork__xen_let_have(xenfork_ctx *ctx, uint32_t domid, uint32_t *kib_out)
{
    cleanup_free char *note = asked(ctx, domid);
    uint32_t before = 0, kib = 0, now = 0;
    char value[16];

    *kib_out = 0;
    if (!note)
        return errno == ENOENT ? 0 : no_target(ctx, domid, errno);
    if (xenfork__xs_u32(ctx, &now, TARGET, domid) < 0)
        return no_target(ctx, domid, errno);
    if (sscanf(note, "%u %u", &before, &kib) == 2 && now == kib) {
        snprintf(value, sizeof(value), "%u", before);
        if (!xenfork__xs_write(ctx, XBT_NULL, value, TARGET, domid))
            return no_target(ctx, domid, errno);
        *kib_out = before;
    }
    return xenfork__xs_rm(ctx, ASKED, domid) ? 0 : no_target(ctx, domid, errno);
}

bool xenfork__xen_is_heard(xenfork_ctx *ctx, uint32_t domid)
{
    cleanup_free char *note = xenfork__xs_read(ctx, XBT_NULL,
                                               XENFORK__RING_NOTE, domid);

    return note && !strcmp(note, "1");
}

int xenfork__xen_host_memory(xenfork_ctx *ctx,
                             struct xenfork__host_memory *memory_out)
{
    xc_physinfo_t info = {0};
    long shared, saved;

    xenfork__count(ctx, XENFORK_COUNT_HYPERCALLS, 3);
    if (xc_physinfo(ctx->xen->xch, &info) ||
        (shared = xc_sharing_used_frames(ctx->xen->xch)) < 0 ||
        (saved = xc_sharing_freed_pages(ctx->xen->xch)) < 0)
        return xenfork__fail(ctx, XENFORK_E_XEN, errno,
                             "cannot read the host's memory");
    *memory_out = (struct xenfork__host_memory){
        .total_pages = info.total_pages,
        .free_pages = info.free_pages > info.outstanding_pages
                          ? info.free_pages - info.outstanding_pages
                          : 0,
        .claimed_pages = info.outstanding_pages,
        .shared_pages = (uint64_t)shared,
        .saved_pages = (uint64_t)saved};
    return 0;
}

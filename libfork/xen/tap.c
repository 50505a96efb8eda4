/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Tapdisks that libxl's script has started, for disks with backendtype=tap.
 * tapback is told which one it is by "physical-device-path", in a part of
 * xenstore that no guest can write; what tapdisks say themselves is not asked
 * for: one that hangs would not answer.
 */
#include "xen/handles.h"

#include "host/host.h"
#include "xen/xen.h"

#include <inttypes.h>
#include <string.h>

#define SOCKET "/run/blktap-control/nbd%u.%d"

struct search {
    const char *file; /* canonical */
    struct xenfork__tapdisk found;
    bool is_found;
};

static bool leads_to(const char *params, const char *file)
{
    cleanup_free char *real = NULL;

    if (strncmp(params, XENFORK__VHD_PREFIX, strlen(XENFORK__VHD_PREFIX)))
        return false;
    real = realpath(params + strlen(XENFORK__VHD_PREFIX), NULL);
    return real && !strcmp(real, file);
}

/* Look at a device; a node that is being made or removed is passed over. */
static int look_at(xenfork_ctx *ctx, const char *node, struct search *search)
{
    cleanup_free char *params = xenfork__xs_read(ctx, XBT_NULL, "%s/params",
                                                 node);
    cleanup_free char *mode = NULL;
    cleanup_free char *path = NULL;
    struct xenfork__tapdisk tapdisk = {.minor = -1}; /* started: not known */

    if (!params || !leads_to(params, search->file))
        return 0;
    mode = xenfork__xs_read(ctx, XBT_NULL, "%s/mode", node);
    path = xenfork__xs_read(ctx, XBT_NULL, "%s/physical-device-path", node);
    if (!mode || *mode != 'w' || !path ||
        sscanf(path, SOCKET, &tapdisk.pid, &tapdisk.minor) != 2)
        return 0;
    /* A stub domain has its guest's. */
    if (search->is_found && (search->found.pid != tapdisk.pid ||
                             search->found.minor != tapdisk.minor))
        return xenfork__fail(ctx, XENFORK_E_STATE, 0,
                             "tapdisks %u and %u both serve %s", tapdisk.pid,
                             search->found.pid, search->file);
    search->found = tapdisk;
    search->is_found = true;
    return 0;
}

/* List the names below @path: none where it is not there. */
static int list(xenfork_ctx *ctx, const char *path, char ***names_out,
                unsigned int *count_out)
{
    *count_out = 0;
    *names_out = xenfork__xs_list(ctx, count_out, "%s", path);
    return *names_out || errno == ENOENT
               ? 0
               : xenfork__fail(ctx, XENFORK_E_XEN, errno, "cannot list %s",
                               path);
}

static int look_below(xenfork_ctx *ctx, const char *path, uint32_t depth,
                      struct search *search)
{
    cleanup_free char **names = NULL;
    unsigned int i, count;
    int rc = list(ctx, path, &names, &count);

    for (i = 0; i < count && rc >= 0; i++) {
        cleanup_free char *node = NULL;

        if (asprintf(&node, "%s/%s", path, names[i]) < 0) {
            node = NULL;
            return xenfork__nomem(ctx);
        }
        rc = depth ? look_below(ctx, node, depth - 1, search)
                   : look_at(ctx, node, search);
    }
    return rc;
}

int xenfork__xen_tapdisk(xenfork_ctx *ctx, const char *file,
                         struct xenfork__tapdisk *tapdisk_out)
{
    cleanup_free char *real = realpath(file, NULL);
    struct search search = {.file = real};
    char path[64];
    int rc = 0;

    snprintf(path, sizeof(path), "/local/domain/%" PRIu32 "/backend/vbd3",
             xenfork__own_domid(ctx));
    if (real)
        rc = look_below(ctx, path, 1, &search);
    if (rc == 0 && !search.is_found)
        rc = xenfork__miss(ctx, XENFORK_E_NOTFOUND, "no tapdisk serves %s",
                           file);
    if (rc == 0)
        *tapdisk_out = search.found;
    return rc;
}

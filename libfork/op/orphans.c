/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "op/orphans.h"

#include <string.h>

#include "op/domain.h"

int xenfork__clone_shares(xenfork_ctx *ctx, const struct xenfork__record *clone,
                          bool *does_out)
{
    struct xenfork__dominfo info;
    int rc;

    *does_out = false;
    if (clone->detached == 100)
        return 0;
    rc = xenfork__record_info(ctx, clone, &info);
    *does_out = rc == 0;
    return rc == XENFORK_E_NOTFOUND ? 0 : rc;
}

bool xenfork__is_orphan(const struct xenfork__record *clone,
                        const struct xenfork__records *images)
{
    size_t i;

    if (!clone->source_count)
        return false;
    for (i = 0; i < images->count; i++)
        if (!memcmp(images->records[i]->uuid, clone->parent, 16))
            return false;
    return true;
}

int xenfork__orphans_each(xenfork_ctx *ctx,
                          const struct xenfork__records *images,
                          const struct xenfork__records *clones,
                          xenfork__orphan_fn *each, void *opaque)
{
    size_t i;
    uint32_t j;
    bool does;
    int rc = 0;

    for (i = 0; i < clones->count && rc == 0; i++) {
        const struct xenfork__record *clone = clones->records[i];

        if (!xenfork__is_orphan(clone, images))
            continue;
        rc = xenfork__clone_shares(ctx, clone, &does);
        for (j = 0; j < clone->source_count && does && rc == 0; j++)
            rc = each(ctx, clone, clone->sources[j], opaque);
    }
    return rc;
}

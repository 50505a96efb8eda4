/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "guest.h"

#include <string.h>

#define ENTROPY_BYTES 64U

int xenfork__generation_new(xenfork_ctx *ctx, char out[XENFORK__UUID_CHARS])
{
    uint8_t uuid[16];

    if (!xenfork__uuid_random(uuid))
        return xenfork__fail(ctx, XENFORK_E_XEN, errno,
                             "cannot draw a random generation");
    xenfork__uuid_print(uuid, out);
    return 0;
}

int xenfork__guest_source(xenfork_ctx *ctx, struct xenfork__txn *txn,
                          uint32_t domid)
{
    char generation[XENFORK__UUID_CHARS];
    cleanup_free char *old = NULL;
    int rc = xenfork__xen_guest_generation(ctx, domid, &old);

    if (rc != XENFORK_E_NOTFOUND)
        return rc;
    if ((rc = xenfork__generation_new(ctx, generation)) < 0 ||
        (rc = xenfork__txn_publishing(ctx, txn)) < 0)
        return rc;
    return xenfork__xen_guest_publish(
        ctx, domid,
        &(struct xenfork__guest){.role = XENFORK__ROLE_SOURCE,
                                 .generation = generation});
}

int xenfork__guest_clone(xenfork_ctx *ctx, uint32_t domid,
                         const char *generation, const char *source,
                         uint32_t index, const struct xenfork__clone_spec *spec)
{
    char entropy[2 * ENTROPY_BYTES + 1];
    int rc;

    if (!xenfork__random_hex(entropy, ENTROPY_BYTES))
        return xenfork__fail(ctx, XENFORK_E_XEN, errno,
                             "cannot draw entropy for domain %u", domid);
    rc = xenfork__xen_guest_publish(
        ctx, domid,
        &(struct xenfork__guest){.role = XENFORK__ROLE_CLONE,
                                 .generation = generation,
                                 .source = source,
                                 .index = index,
                                 .entropy = entropy,
                                 .param_count = spec->param_count,
                                 .params = spec->params});
    explicit_bzero(entropy, sizeof(entropy));
    return rc;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "op/result.h"

int xenfork__result_new(xenfork_ctx *ctx, uint32_t count,
                        xenfork_result **result_out)
{
    xenfork_result *result = calloc(1, sizeof(*result));

    if (!result)
        return xenfork__nomem(ctx);
    result->clones = calloc(count, sizeof(*result->clones));
    if (!result->clones) {
        free(result);
        return xenfork__nomem(ctx);
    }
    result->count = count;
    result->image_domid = XENFORK_DOMID_NONE;
    *result_out = result;
    return 0;
}

XENFORK_API void xenfork_result_free(xenfork_result *result)
{
    uint32_t i;

    if (!result)
        return;
    for (i = 0; i < result->count; i++)
        free(result->clones[i].nics);
    free(result->clones);
    free(result->image_name);
    free(result);
}

static const struct xenfork__clone_result *at(const xenfork_result *result,
                                              uint32_t clone)
{
    return clone < result->count ? &result->clones[clone] : NULL;
}

static const struct xenfork__nic_result *nic_at(const xenfork_result *result,
                                                uint32_t clone, uint32_t nic)
{
    const struct xenfork__clone_result *c = at(result, clone);

    return c && nic < c->nic_count ? &c->nics[nic] : NULL;
}

XENFORK_API uint32_t xenfork_result_count(const xenfork_result *result)
{
    return result->count;
}

XENFORK_API uint32_t xenfork_result_image_domid(const xenfork_result *result)
{
    return result->image_domid;
}

XENFORK_API const char *xenfork_result_image_name(const xenfork_result *result)
{
    return result->image_name;
}

XENFORK_API uint32_t xenfork_result_clone_domid(const xenfork_result *result,
                                                uint32_t clone)
{
    const struct xenfork__clone_result *c = at(result, clone);

    return c ? c->domid : XENFORK_DOMID_NONE;
}

XENFORK_API const char *xenfork_result_clone_name(const xenfork_result *result,
                                                  uint32_t clone)
{
    const struct xenfork__clone_result *c = at(result, clone);

    return c ? c->name : NULL;
}

XENFORK_API const char *xenfork_result_clone_uuid(const xenfork_result *result,
                                                  uint32_t clone)
{
    const struct xenfork__clone_result *c = at(result, clone);

    return c ? c->uuid : NULL;
}

XENFORK_API const char *xenfork_result_clone_generation(
    const xenfork_result *result, uint32_t clone)
{
    const struct xenfork__clone_result *c = at(result, clone);

    return c ? c->generation : NULL;
}

XENFORK_API int xenfork_result_clone_is_ready(const xenfork_result *result,
                                              uint32_t clone)
{
    const struct xenfork__clone_result *c = at(result, clone);

    return c && c->is_ready;
}

XENFORK_API int xenfork_result_clone_is_reseeded(const xenfork_result *result,
                                                 uint32_t clone)
{
    const struct xenfork__clone_result *c = at(result, clone);

    return c && c->is_reseeded;
}

XENFORK_API const char *xenfork_result_clone_error(const xenfork_result *result,
                                                   uint32_t clone)
{
    const struct xenfork__clone_result *c = at(result, clone);

    return c && c->fault[0] ? c->fault : NULL;
}

XENFORK_API uint32_t xenfork_result_nic_count(const xenfork_result *result,
                                              uint32_t clone)
{
    const struct xenfork__clone_result *c = at(result, clone);

    return c ? c->nic_count : 0;
}

XENFORK_API const char *xenfork_result_nic_vif(const xenfork_result *result,
                                               uint32_t clone, uint32_t nic)
{
    const struct xenfork__nic_result *n = nic_at(result, clone, nic);

    return n ? n->vif : NULL;
}

XENFORK_API const char *xenfork_result_nic_mac(const xenfork_result *result,
                                               uint32_t clone, uint32_t nic)
{
    const struct xenfork__nic_result *n = nic_at(result, clone, nic);

    return n ? n->mac : NULL;
}

XENFORK_API int xenfork_result_nic_is_held(const xenfork_result *result,
                                           uint32_t clone, uint32_t nic)
{
    const struct xenfork__nic_result *n = nic_at(result, clone, nic);

    return n && n->is_held;
}

XENFORK_API uint64_t xenfork_result_ns(const xenfork_result *result,
                                       uint32_t clone, int stage)
{
    const struct xenfork__clone_result *c = at(result, clone);

    if (stage < 0 || stage >= XENFORK_STAGES)
        return 0;
    if (clone == XENFORK_ALL)
        return result->ns[stage];
    return c ? c->ns[stage] : 0;
}

XENFORK_API uint64_t xenfork_result_counter(const xenfork_result *result,
                                            int counter)
{
    return counter >= 0 && counter < XENFORK_COUNTS ? result->counters[counter]
                                                    : 0;
}

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

XENFORK_API uint32_t xenfork_result_clone_count(const xenfork_result *result)
{
    return result ? result->count : 0;
}

XENFORK_API const xenfork_clone *xenfork_result_clone(
    const xenfork_result *result, uint32_t index)
{
    return result && index < result->count ? &result->clones[index] : NULL;
}

XENFORK_API uint32_t xenfork_result_image_domid(const xenfork_result *result)
{
    return result ? result->image_domid : XENFORK_DOMID_NONE;
}

XENFORK_API const char *xenfork_result_image_name(const xenfork_result *result)
{
    return result ? result->image_name : NULL;
}

XENFORK_API uint64_t xenfork_result_ns(const xenfork_result *result, int stage)
{
    return result && stage >= 0 && stage < XENFORK_STAGES ? result->ns[stage]
                                                          : 0;
}

XENFORK_API uint64_t xenfork_result_counter(const xenfork_result *result,
                                            int counter)
{
    return result && counter >= 0 && counter < XENFORK_COUNTS
               ? result->counters[counter]
               : 0;
}

XENFORK_API uint64_t xenfork_result_kib(const xenfork_result *result, int what)
{
    return result && what >= 0 && what < XENFORK_RESULT_KINDS
               ? result->kib[what]
               : 0;
}

XENFORK_API uint32_t xenfork_clone_domid(const xenfork_clone *clone)
{
    return clone ? clone->domid : XENFORK_DOMID_NONE;
}

XENFORK_API const char *xenfork_clone_name(const xenfork_clone *clone)
{
    return clone ? clone->name : NULL;
}

XENFORK_API const char *xenfork_clone_uuid(const xenfork_clone *clone)
{
    return clone ? clone->uuid : NULL;
}

XENFORK_API const char *xenfork_clone_generation(const xenfork_clone *clone)
{
    return clone ? clone->generation : NULL;
}

XENFORK_API int xenfork_clone_is_ready(const xenfork_clone *clone)
{
    return clone && clone->is_ready;
}

XENFORK_API int xenfork_clone_is_reseeded(const xenfork_clone *clone)
{
    return clone && clone->is_reseeded;
}

XENFORK_API const char *xenfork_clone_error(const xenfork_clone *clone)
{
    return clone && clone->fault[0] ? clone->fault : NULL;
}

XENFORK_API const char *xenfork_clone_why_libxl(const xenfork_clone *clone)
{
    return clone ? clone->slow : NULL;
}

XENFORK_API uint32_t xenfork_clone_nic_count(const xenfork_clone *clone)
{
    return clone ? clone->nic_count : 0;
}

XENFORK_API const xenfork_nic *xenfork_clone_nic(const xenfork_clone *clone,
                                                 uint32_t index)
{
    return clone && index < clone->nic_count ? &clone->nics[index] : NULL;
}

XENFORK_API uint64_t xenfork_clone_ns(const xenfork_clone *clone, int stage)
{
    return clone && stage >= 0 && stage < XENFORK_STAGES ? clone->ns[stage] : 0;
}

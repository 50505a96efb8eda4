/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The caller's wishes with regard to memory. */
#include "base/spec.h"

XENFORK_API int xenfork_spec_set_reserve_percent(xenfork_spec *spec,
                                                 uint32_t percent)
{
    if (!spec || percent > 100)
        return XENFORK_E_INVAL;
    spec->is_reserve_percent = true;
    spec->reserve = percent;
    return 0;
}

XENFORK_API int xenfork_spec_set_reserve_kib(xenfork_spec *spec,
                                             uint64_t reserve_kib)
{
    if (!spec)
        return XENFORK_E_INVAL;
    spec->is_reserve_percent = false;
    spec->reserve = reserve_kib;
    return 0;
}

XENFORK_API int xenfork_spec_set_source_reserve(xenfork_spec *spec,
                                                uint32_t percent)
{
    if (!spec || percent > 100)
        return XENFORK_E_INVAL;
    spec->source_reserve = percent;
    return 0;
}

XENFORK_API int xenfork_spec_set_leave_kib(xenfork_spec *spec,
                                           uint64_t leave_kib)
{
    if (!spec)
        return XENFORK_E_INVAL;
    spec->leave_kib = leave_kib;
    return 0;
}

uint64_t xenfork__percent_of(uint64_t pages, uint32_t percent)
{
    return (pages * percent + 99) / 100;
}

uint64_t xenfork__reserve_pages(const xenfork_spec *spec, uint64_t pages)
{
    uint64_t reserve = spec->is_reserve_percent
                           ? xenfork__percent_of(pages, (uint32_t)spec->reserve)
                           : spec->reserve / XENFORK__PAGE_KIB +
                                 (spec->reserve % XENFORK__PAGE_KIB != 0);

    return reserve < pages ? reserve : pages;
}

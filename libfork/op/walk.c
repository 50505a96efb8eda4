/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "op/walk.h"

#include <string.h>

uint32_t xenfork__walk_next(const struct xenfork__walk *walk, uint32_t most)
{
    uint64_t end = walk->limit && walk->limit < walk->end ? walk->limit
                                                          : walk->end;
    uint64_t left = end > walk->gfn ? end - walk->gfn : 0;

    if (walk->holes >= XENFORK__WALK_HOLES ||
        (walk->seen >= walk->counted && walk->gap >= XENFORK__WALK_GAP))
        return 0;
    return left < most ? (uint32_t)left : most;
}

void xenfork__walk_note(struct xenfork__walk *walk, const bool *present,
                        uint32_t count)
{
    uint32_t i = 0;

    /* Most batches between a guest's memory and its special pages are empty. */
    if (!memchr(present, true, count)) {
        walk->holes += count;
        walk->gap += count;
        i = count;
    }
    for (; i < count; i++) {
        walk->seen += present[i];
        walk->holes += !present[i];
        walk->gap = present[i] ? 0 : walk->gap + 1;
    }
    walk->gfn += count;
}

bool xenfork__walk_is_short(const struct xenfork__walk *walk)
{
    return walk->gfn < walk->end && walk->seen < walk->counted;
}

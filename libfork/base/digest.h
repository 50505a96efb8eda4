/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* FNV-1a: against changes, not against an enemy, who would have to be root. */
#ifndef LIBFORK_BASE_DIGEST_H
#define LIBFORK_BASE_DIGEST_H

#include <stddef.h>
#include <stdint.h>

static inline uint64_t xenfork__digest(const void *data, size_t bytes)
{
    const uint8_t *p = data;
    uint64_t digest = 0xcbf29ce484222325;

    while (bytes--)
        digest = (digest ^ *p++) * 0x100000001b3;
    return digest;
}

#endif

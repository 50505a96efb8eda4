/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "internal.h"

#include <time.h>

uint64_t xenfork__now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000U + (uint64_t)t.tv_nsec;
}

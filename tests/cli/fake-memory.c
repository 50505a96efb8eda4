/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The host's memory: a source, its image, and a clone of that. */
#include "config.h"

#include "fake-xenfork.h"

int xenfork_memory_open(xenfork_ctx *ctx, xenfork_memory **memory_out)
{
    (void)ctx;
    if (fails("memory"))
        return fails("memory");
    *memory_out = FAKE_OBJECT(xenfork_memory);
    return 0;
}

void xenfork_memory_free(xenfork_memory *memory)
{
    (void)memory;
}

uint64_t xenfork_memory_host_kib(const xenfork_memory *memory, int what)
{
    (void)memory;
    return (uint64_t)what * 1024;
}

uint32_t xenfork_memory_count(const xenfork_memory *memory)
{
    (void)memory;
    return 3;
}

int xenfork_memory_kind(const xenfork_memory *memory, uint32_t index)
{
    static const int kinds[] = {XENFORK_KIND_SOURCE, XENFORK_KIND_IMAGE,
                                XENFORK_KIND_CLONE};

    (void)memory;
    return kinds[index];
}

uint32_t xenfork_memory_domid(const xenfork_memory *memory, uint32_t index)
{
    (void)memory;
    return 3 + index;
}

const char *xenfork_memory_name(const xenfork_memory *memory, uint32_t index)
{
    static const char *const names[] = {"web1", "web1@fork-1", "web1-1"};

    (void)memory;
    return names[index];
}

const char *xenfork_memory_family(const xenfork_memory *memory, uint32_t index)
{
    (void)memory;
    (void)index;
    return "web1";
}

const char *xenfork_memory_state(const xenfork_memory *memory, uint32_t index)
{
    static const char *const states[] = {"running", "image", "paused: memory"};

    (void)memory;
    return states[index];
}

uint64_t xenfork_memory_kib(const xenfork_memory *memory, uint32_t index,
                            int what)
{
    (void)memory;
    return (uint64_t)what * 1024 + 10240 * index;
}

uint32_t xenfork_memory_priority(const xenfork_memory *memory, uint32_t index)
{
    (void)memory;
    (void)index;
    return 50;
}

uint32_t xenfork_memory_turn(const xenfork_memory *memory, uint32_t index)
{
    (void)memory;
    return index == 2;
}

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

uint32_t xenfork_memory_domain_count(const xenfork_memory *memory)
{
    (void)memory;
    return 3;
}

/* Its index says which one it is. */
struct xenfork_domain {
    uint32_t index;
};

const xenfork_domain *xenfork_memory_domain(const xenfork_memory *memory,
                                            uint32_t index)
{
    static const xenfork_domain domains[] = {{0}, {1}, {2}};

    (void)memory;
    return index < 3 ? &domains[index] : NULL;
}

int xenfork_domain_kind(const xenfork_domain *domain)
{
    static const int kinds[] = {XENFORK_KIND_SOURCE, XENFORK_KIND_IMAGE,
                                XENFORK_KIND_CLONE};

    return kinds[domain->index];
}

uint32_t xenfork_domain_domid(const xenfork_domain *domain)
{
    return 3 + domain->index;
}

const char *xenfork_domain_name(const xenfork_domain *domain)
{
    static const char *const names[] = {"web1", "web1@fork-1", "web1-1"};

    return names[domain->index];
}

const char *xenfork_domain_family(const xenfork_domain *domain)
{
    (void)domain;
    return "web1";
}

const char *xenfork_domain_state(const xenfork_domain *domain)
{
    static const char *const states[] = {"running", "image", "paused: memory"};

    return states[domain->index];
}

uint64_t xenfork_domain_kib(const xenfork_domain *domain, int what)
{
    return (uint64_t)what * 1024 + 10240 * domain->index;
}

uint32_t xenfork_domain_priority(const xenfork_domain *domain)
{
    (void)domain;
    return 50;
}

uint32_t xenfork_domain_turn(const xenfork_domain *domain)
{
    return domain->index == 2;
}

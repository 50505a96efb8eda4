/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "op/memory.h"

#include <string.h>

#include "op/domain.h"
#include "op/orphans.h"
#include "xen/host-memory.h"

/* A source, an image or a clone. */
struct xenfork_domain {
    int kind; /* XENFORK_KIND_* */
    uint32_t domid;
    char *name, *family;
    const char *state;
    struct xenfork__dominfo info;
    uint64_t need;
    bool is_spared, can_be_paused;
    struct xenfork__rank rank;
    uint32_t turn;
};

struct xenfork_memory {
    struct xenfork__host_memory host;
    uint32_t count;
    struct xenfork_domain *domains;
};

bool xenfork__rank_is_before(const struct xenfork__rank *a,
                             const struct xenfork__rank *b)
{
    if (a->is_hydrated != b->is_hydrated)
        return !a->is_hydrated;
    if (a->priority != b->priority)
        return a->priority < b->priority;
    return a->domid > b->domid;
}

uint64_t xenfork__memory_need(bool is_hydrated, uint64_t pages,
                              const struct xenfork__dominfo *info)
{
    uint64_t need = info->shared_pages;

    if (!is_hydrated)
        need = pages > info->private_pages ? pages - info->private_pages : 0;
    return need > info->claimed_pages ? need - info->claimed_pages : 0;
}

bool xenfork__memory_is_taking(bool is_hydrated, uint64_t pages,
                               const struct xenfork__dominfo *info)
{
    return xenfork__memory_need(is_hydrated, pages, info) &&
           (!is_hydrated || !info->claimed_pages);
}

int xenfork__memory_has_paused(xenfork_ctx *ctx,
                               const struct xenfork__dominfo *info,
                               bool *has_out)
{
    char is[16];
    int rc;

    *has_out = false;
    if (!info->is_paused || info->is_shutdown || info->is_dying)
        return 0;
    rc = xenfork__xen_short(ctx, info->domid, is);
    *has_out = rc == 0 && (!strcmp(is, XENFORK__SHORT_PAUSING) ||
                           !strcmp(is, XENFORK__SHORT_PAUSED) ||
                           !strcmp(is, XENFORK__SHORT_RESUMING));
    return rc;
}

int xenfork__memory_refuse(xenfork_ctx *ctx,
                           const struct xenfork__dominfo *info,
                           const char *name)
{
    bool has;
    int rc = xenfork__memory_has_paused(ctx, info, &has);

    if (rc < 0 || !has)
        return rc;
    xenfork__fail(ctx, XENFORK_E_BUSY, 0,
                  "xenforkd has paused %s because the host has little memory",
                  name);
    return xenfork__remedy(ctx,
                           "xenforkd lets it go on when memory_ok "
                           "(xenfork.conf) is free; or xl unpause %s, if it "
                           "is hydrated",
                           name);
}

XENFORK_API void xenfork_memory_free(xenfork_memory *memory)
{
    uint32_t i;

    if (!memory)
        return;
    for (i = 0; i < memory->count; i++) {
        free(memory->domains[i].name);
        free(memory->domains[i].family);
    }
    free(memory->domains);
    free(memory);
}

/* Return what a domain does with regard to memory, in a word. */
static int memory_state(xenfork_ctx *ctx, struct xenfork_domain *row)
{
    char is[16] = "";
    int rc;

    if (row->kind == XENFORK_KIND_IMAGE) {
        row->state = "image";
        return 0;
    }
    rc = xenfork__xen_short(ctx, row->domid, is);
    row->is_spared = !strcmp(is, XENFORK__SHORT_SPARED);
    if (row->info.is_shutdown)
        row->state = "shutdown";
    else if (!strcmp(is, XENFORK__SHORT_WAITS) ||
             (*is && !row->is_spared && row->info.is_paused))
        row->state = "paused: memory";
    else
        row->state = row->info.is_paused ? "paused" : "running";
    return rc;
}

static bool has_row(const xenfork_memory *memory, uint32_t domid)
{
    uint32_t i;

    for (i = 0; i < memory->count; i++)
        if (memory->domains[i].domid == domid)
            return true;
    return false;
}

/* Find the domain's name; @name: what it was called when it was made. */
static int name_now(xenfork_ctx *ctx, uint32_t domid, const char *name,
                    char **name_out)
{
    int rc = xenfork__xen_name(ctx, domid, name_out);

    if (rc != XENFORK_E_NOTFOUND)
        return rc;
    *name_out = strdup(name);
    return *name_out ? 0 : xenfork__nomem(ctx);
}

static int add_row(xenfork_ctx *ctx, xenfork_memory *memory, int kind,
                   const struct xenfork__dominfo *info, const char *name,
                   const char *family)
{
    struct xenfork_domain *row = reallocarray(memory->domains,
                                              memory->count + 1, sizeof(*row));
    int rc;

    if (!row)
        return xenfork__nomem(ctx);
    memory->domains = row;
    row += memory->count++;
    *row = (struct xenfork_domain){.kind = kind,
                                   .domid = info->domid,
                                   .family = strdup(family),
                                   .info = *info};
    if (!row->family)
        return xenfork__nomem(ctx);
    rc = name_now(ctx, info->domid, name, &row->name);
    return rc < 0 ? rc : memory_state(ctx, row);
}

/*
 * Find a clone's domain: the one that was made, or, if it was saved and
 * restored, the one that has its UUID now.
 */
static int info_now(xenfork_ctx *ctx, const struct xenfork__record *clone,
                    struct xenfork__dominfo *info)
{
    uint32_t domid;
    int rc = xenfork__record_info(ctx, clone, info);

    if (rc != XENFORK_E_NOTFOUND)
        return rc;
    rc = xenfork__clone_domid(ctx, clone, &domid);
    if (rc == XENFORK_E_UUIDTAKEN)
        rc = XENFORK_E_NOTFOUND;
    return rc < 0 ? rc : xenfork__xen_info(ctx, domid, info);
}

/* Add a clone, with what the guard of the host's memory goes by. */
static int add_clone_row(xenfork_ctx *ctx, xenfork_memory *memory,
                         const struct xenfork__record *clone,
                         const char *family)
{
    struct xenfork__dominfo info;
    struct xenfork_domain *row;
    bool is_hydrated;
    int rc = info_now(ctx, clone, &info);

    if (rc < 0)
        return rc == XENFORK_E_NOTFOUND ? 0 : rc;
    if (has_row(memory, info.domid))
        return 0;
    rc = add_row(ctx, memory, XENFORK_KIND_CLONE, &info, clone->name, family);
    if (rc < 0)
        return rc;
    /* One that was restored never had an image. */
    is_hydrated = clone->hydrated == 100 ||
                  !xenfork__record_has_domid(ctx, clone, info.domid);
    row = &memory->domains[memory->count - 1];
    row->need = xenfork__memory_need(is_hydrated, clone->pages, &info);
    row->can_be_paused = xenfork__memory_is_taking(is_hydrated, clone->pages,
                                                   &info) &&
                         (!row->is_spared || !is_hydrated) && !info.is_paused &&
                         !info.is_shutdown && !info.is_dying;
    row->rank = (struct xenfork__rank){.is_hydrated = is_hydrated,
                                       .priority = clone->priority,
                                       .domid = info.domid};
    return 0;
}

/*
 * Add a source of an image or of an orphan, unless it is gone, or a clone
 * itself.
 */
static int add_source(xenfork_ctx *ctx, xenfork_memory *memory,
                      const uint8_t source[16],
                      const struct xenfork__record *of,
                      const struct xenfork__records *clones)
{
    struct xenfork__dominfo info;
    uint32_t domid;
    size_t i;
    int rc;

    for (i = 0; i < clones->count; i++)
        if (!memcmp(clones->records[i]->uuid, source, 16))
            return 0;
    rc = xenfork__xen_by_uuid(ctx, source, &domid);
    if (rc == 0)
        rc = xenfork__xen_info(ctx, domid, &info);
    if (rc < 0)
        return rc == XENFORK_E_NOTFOUND ? 0 : rc;
    if (has_row(memory, domid))
        return 0;
    rc = add_row(ctx, memory, XENFORK_KIND_SOURCE, &info, of->parent_name,
                 of->parent_name);
    if (rc == 0)
        memory->domains[memory->count - 1].need = xenfork__memory_need(
            true, of->pages, &info);
    return rc;
}

/* Where rows go, and the clones that are none's source. */
struct rows {
    xenfork_memory *memory;
    const struct xenfork__records *clones;
};

static int add_orphans_source(xenfork_ctx *ctx,
                              const struct xenfork__record *orphan,
                              const uint8_t source[16], void *opaque)
{
    const struct rows *rows = opaque;

    return add_source(ctx, rows->memory, source, orphan, rows->clones);
}

/* Add a source, its image, and the clones of it. */
static int add_family(xenfork_ctx *ctx, xenfork_memory *memory,
                      const struct xenfork__record *image,
                      const struct xenfork__records *clones)
{
    struct xenfork__dominfo info;
    size_t i;
    int rc = add_source(ctx, memory, image->parent, image, clones);

    if (rc < 0)
        return rc;
    rc = xenfork__record_info(ctx, image, &info);
    if (rc == 0)
        rc = add_row(ctx, memory, XENFORK_KIND_IMAGE, &info, image->name,
                     image->parent_name);
    else if (rc == XENFORK_E_NOTFOUND)
        rc = 0;
    for (i = 0; i < clones->count && rc == 0; i++)
        if (!memcmp(clones->records[i]->parent, image->uuid, 16))
            rc = add_clone_row(ctx, memory, clones->records[i],
                               image->parent_name);
    return rc;
}

static int fill_rows(xenfork_ctx *ctx, xenfork_memory *memory)
{
    cleanup_records struct xenfork__records images = {0}, clones = {0};
    struct rows rows = {.memory = memory, .clones = &clones};
    uint32_t source;
    size_t i;
    int rc;

    if ((rc = xenfork__xen_host_memory(ctx, &memory->host)) < 0 ||
        (rc = xenfork__records_load(ctx, XENFORK_KIND_IMAGE, &images)) < 0 ||
        (rc = xenfork__records_load(ctx, XENFORK_KIND_CLONE, &clones)) < 0)
        return rc;
    for (i = 0; i < images.count && rc == 0; i++) {
        rc = xenfork__source_refresh(ctx, images.records[i], &source);
        if (rc == 0)
            rc = add_family(ctx, memory, images.records[i], &clones);
    }
    if (rc == 0)
        rc = xenfork__orphans_each(ctx, &images, &clones, add_orphans_source,
                                   &rows);
    for (i = 0; i < clones.count && rc == 0; i++)
        rc = add_clone_row(ctx, memory, clones.records[i],
                           clones.records[i]->parent_name);
    return rc;
}

/* Number the clones in the order in which they would be paused. */
static void set_turns(xenfork_memory *memory)
{
    uint32_t i, j;

    for (i = 0; i < memory->count; i++) {
        struct xenfork_domain *row = &memory->domains[i];

        row->turn = row->can_be_paused;
        for (j = 0; j < memory->count && row->turn; j++)
            row->turn += memory->domains[j].can_be_paused &&
                         xenfork__rank_is_before(&memory->domains[j].rank,
                                                 &row->rank);
    }
}

XENFORK_API int xenfork_memory_open(xenfork_ctx *ctx,
                                    xenfork_memory **memory_out)
{
    xenfork_memory *memory;
    int rc;

    xenfork__begin(ctx, XENFORK_DOMID_NONE);
    if (!memory_out)
        return xenfork__fail(ctx, XENFORK_E_INVAL, 0, "no result");
    memory = calloc(1, sizeof(*memory));
    if (!memory)
        return xenfork__nomem(ctx);
    rc = fill_rows(ctx, memory);
    if (rc < 0) {
        xenfork_memory_free(memory);
        return rc;
    }
    set_turns(memory);
    *memory_out = memory;
    return 0;
}

XENFORK_API uint64_t xenfork_memory_host_kib(const xenfork_memory *memory,
                                             int what)
{
    uint64_t pages = 0;

    if (!memory)
        return 0;
    if (what == XENFORK_MEMORY_TOTAL)
        pages = memory->host.total_pages;
    else if (what == XENFORK_MEMORY_FREE)
        pages = memory->host.free_pages;
    else if (what == XENFORK_MEMORY_RESERVED)
        pages = memory->host.claimed_pages;
    else if (what == XENFORK_MEMORY_SHARED)
        pages = memory->host.shared_pages;
    else if (what == XENFORK_MEMORY_SAVED)
        pages = memory->host.saved_pages;
    return pages * XENFORK__PAGE_KIB;
}

XENFORK_API uint32_t xenfork_memory_domain_count(const xenfork_memory *memory)
{
    return memory ? memory->count : 0;
}

XENFORK_API const xenfork_domain *xenfork_memory_domain(
    const xenfork_memory *memory, uint32_t index)
{
    return memory && index < memory->count ? &memory->domains[index] : NULL;
}

XENFORK_API int xenfork_domain_kind(const xenfork_domain *domain)
{
    return domain ? domain->kind : 0;
}

XENFORK_API uint32_t xenfork_domain_domid(const xenfork_domain *domain)
{
    return domain ? domain->domid : XENFORK_DOMID_NONE;
}

XENFORK_API const char *xenfork_domain_name(const xenfork_domain *domain)
{
    return domain ? domain->name : NULL;
}

XENFORK_API const char *xenfork_domain_family(const xenfork_domain *domain)
{
    return domain ? domain->family : NULL;
}

XENFORK_API const char *xenfork_domain_state(const xenfork_domain *domain)
{
    return domain ? domain->state : NULL;
}

XENFORK_API uint64_t xenfork_domain_kib(const xenfork_domain *domain, int what)
{
    uint64_t pages = 0;

    if (!domain)
        return 0;
    if (what == XENFORK_MEMORY_OWN)
        pages = domain->info.private_pages;
    else if (what == XENFORK_MEMORY_SHARED)
        pages = domain->info.shared_pages;
    else if (what == XENFORK_MEMORY_RESERVED)
        pages = domain->info.claimed_pages;
    else if (what == XENFORK_MEMORY_NEED)
        pages = domain->need;
    return pages * XENFORK__PAGE_KIB;
}

XENFORK_API uint32_t xenfork_domain_priority(const xenfork_domain *domain)
{
    return domain ? domain->rank.priority : 0;
}

XENFORK_API uint32_t xenfork_domain_turn(const xenfork_domain *domain)
{
    return domain ? domain->turn : 0;
}

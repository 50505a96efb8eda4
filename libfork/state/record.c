/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "state/record.h"

#include <string.h>

void xenfork__record_free(struct xenfork__record *record)
{
    uint32_t i;

    if (!record)
        return;
    for (i = 0; i < record->disk_count; i++) {
        free(record->disks[i].vdev);
        free(record->disks[i].driver);
        free(record->disks[i].path);
        free(record->disks[i].from);
        free(record->disks[i].other_driver);
        free(record->disks[i].other);
    }
    free(record->disks);
    free(record->shared);
    free(record->sources);
    free(record->nics);
    free(record->name);
    free(record->parent_name);
    free(record->left);
    free(record);
}

bool xenfork__wants_hydration(const struct xenfork__record *clone)
{
    return clone->hydrate == XENFORK__HYDRATE_NOW && clone->hydrated < 100;
}

int xenfork__record_add_disk(xenfork_ctx *ctx, struct xenfork__record *record,
                             uint32_t index, const char *vdev,
                             const char *driver, const char *path,
                             const char *from)
{
    struct xenfork__record_disk *disks;
    cleanup_free char *v = strdup(vdev);
    cleanup_free char *d = strdup(driver);
    cleanup_free char *p = strdup(path);
    cleanup_free char *f = strdup(from);

    disks = reallocarray(record->disks, record->disk_count + 1, sizeof(*disks));
    if (disks)
        record->disks = disks;
    if (!disks || !v || !d || !p || !f)
        return xenfork__nomem(ctx);
    disks[record->disk_count++] = (struct xenfork__record_disk){
        .index = index,
        .vdev = steal_ptr(v),
        .driver = steal_ptr(d),
        .path = steal_ptr(p),
        .from = steal_ptr(f)};
    return xenfork__record_disk_beside(ctx, record, record->disk_count - 1, "",
                                       "");
}

int xenfork__record_disk_beside(xenfork_ctx *ctx,
                                struct xenfork__record *record, uint32_t disk,
                                const char *driver, const char *path)
{
    struct xenfork__record_disk *d = &record->disks[disk];
    cleanup_free char *by = strdup(driver);
    cleanup_free char *other = strdup(path);

    if (!by || !other)
        return xenfork__nomem(ctx);
    free(d->other_driver);
    free(d->other);
    d->other_driver = steal_ptr(by);
    d->other = steal_ptr(other);
    return 0;
}

void xenfork__record_disk_swap(struct xenfork__record *record, uint32_t disk)
{
    struct xenfork__record_disk *d = &record->disks[disk];
    char *driver = d->driver, *path = d->path;

    d->driver = d->other_driver;
    d->path = d->other;
    d->other_driver = driver;
    d->other = path;
}

int xenfork__record_add_shared(xenfork_ctx *ctx, struct xenfork__record *record,
                               const char *vdev, const char *is)
{
    struct xenfork__record_shared *shared = reallocarray(
        record->shared, record->shared_count + 1, sizeof(*shared));

    if (!shared)
        return xenfork__nomem(ctx);
    record->shared = shared;
    shared += record->shared_count++;
    snprintf(shared->vdev, sizeof(shared->vdev), "%s", vdev);
    snprintf(shared->is, sizeof(shared->is), "%s", is);
    return 0;
}

int xenfork__record_add_source(xenfork_ctx *ctx, struct xenfork__record *record,
                               const uint8_t source[16])
{
    uint8_t(*sources)[16] = reallocarray(
        record->sources, record->source_count + 1, sizeof(*sources));

    if (!sources)
        return xenfork__nomem(ctx);
    record->sources = sources;
    memcpy(sources[record->source_count++], source, sizeof(*sources));
    return 0;
}

int xenfork__record_add_sources(xenfork_ctx *ctx,
                                struct xenfork__record *record,
                                const struct xenfork__record *other)
{
    uint32_t i;
    int rc = 0;

    for (i = 0; i < other->source_count && rc == 0; i++)
        rc = xenfork__record_add_source(ctx, record, other->sources[i]);
    return rc;
}

bool xenfork__record_has_source(const struct xenfork__record *record,
                                const uint8_t source[16])
{
    uint32_t i;

    for (i = 0; i < record->source_count; i++)
        if (!memcmp(record->sources[i], source, sizeof(record->sources[i])))
            return true;
    return false;
}

int xenfork__record_add_nic(xenfork_ctx *ctx, struct xenfork__record *record,
                            int devid, const uint8_t mac[6], int link)
{
    struct xenfork__record_nic *nics = reallocarray(
        record->nics, record->nic_count + 1, sizeof(*nics));

    if (!nics)
        return xenfork__nomem(ctx);
    record->nics = nics;
    nics += record->nic_count++;
    *nics = (struct xenfork__record_nic){
        .devid = devid, .link = link, .first = link};
    memcpy(nics->mac, mac, sizeof(nics->mac));
    xenfork__mac_print(mac, nics->mac_text);
    return 0;
}

struct xenfork__record_nic *xenfork__record_find_nic(
    const struct xenfork__record *record, int devid, const uint8_t mac[6])
{
    uint32_t i;

    for (i = 0; i < record->nic_count; i++)
        if (record->nics[i].devid == devid &&
            !memcmp(record->nics[i].mac, mac, 6))
            return &record->nics[i];
    return NULL;
}

void xenfork__record_set_domid(const xenfork_ctx *ctx,
                               struct xenfork__record *record, uint32_t domid)
{
    record->domid = domid;
    strcpy(record->boot, ctx->boot);
}

bool xenfork__record_has_domid(const xenfork_ctx *ctx,
                               const struct xenfork__record *record,
                               uint32_t domid)
{
    return record->domid == domid && !strcmp(record->boot, ctx->boot);
}

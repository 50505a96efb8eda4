/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "state/record.h"

#include <string.h>

#include "state/files.h"
#include "state/record-text.h"

void xenfork__node_free(struct xenfork__node *node)
{
    uint32_t i;

    if (!node)
        return;
    for (i = 0; i < node->disk_count; i++) {
        free(node->disks[i].vdev);
        free(node->disks[i].driver);
        free(node->disks[i].path);
        free(node->disks[i].from);
        free(node->disks[i].other_driver);
        free(node->disks[i].other);
    }
    free(node->disks);
    free(node->shared);
    free(node->nics);
    free(node->name);
    free(node->parent_name);
    free(node->left);
    free(node);
}

int xenfork__node_add_disk(xenfork_ctx *ctx, struct xenfork__node *node,
                           uint32_t index, const char *vdev, const char *driver,
                           const char *path, const char *from)
{
    struct xenfork__node_disk *disks;
    cleanup_free char *v = strdup(vdev);
    cleanup_free char *d = strdup(driver);
    cleanup_free char *p = strdup(path);
    cleanup_free char *f = strdup(from);

    disks = reallocarray(node->disks, node->disk_count + 1, sizeof(*disks));
    if (disks)
        node->disks = disks;
    if (!disks || !v || !d || !p || !f)
        return xenfork__nomem(ctx);
    disks[node->disk_count++] = (struct xenfork__node_disk){
        .index = index,
        .vdev = steal_ptr(v),
        .driver = steal_ptr(d),
        .path = steal_ptr(p),
        .from = steal_ptr(f)};
    return xenfork__node_disk_beside(ctx, node, node->disk_count - 1, "", "");
}

int xenfork__node_disk_beside(xenfork_ctx *ctx, struct xenfork__node *node,
                              uint32_t disk, const char *driver,
                              const char *path)
{
    struct xenfork__node_disk *d = &node->disks[disk];
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

void xenfork__node_disk_swap(struct xenfork__node *node, uint32_t disk)
{
    struct xenfork__node_disk *d = &node->disks[disk];
    char *driver = d->driver, *path = d->path;

    d->driver = d->other_driver;
    d->path = d->other;
    d->other_driver = driver;
    d->other = path;
}

int xenfork__node_add_shared(xenfork_ctx *ctx, struct xenfork__node *node,
                             const char *vdev, const char *is)
{
    struct xenfork__node_shared *shared = reallocarray(
        node->shared, node->shared_count + 1, sizeof(*shared));

    if (!shared)
        return xenfork__nomem(ctx);
    node->shared = shared;
    shared += node->shared_count++;
    snprintf(shared->vdev, sizeof(shared->vdev), "%s", vdev);
    snprintf(shared->is, sizeof(shared->is), "%s", is);
    return 0;
}

int xenfork__node_add_nic(xenfork_ctx *ctx, struct xenfork__node *node,
                          int devid, const uint8_t mac[6], int link)
{
    struct xenfork__node_nic *nics = reallocarray(
        node->nics, node->nic_count + 1, sizeof(*nics));

    if (!nics)
        return xenfork__nomem(ctx);
    node->nics = nics;
    nics += node->nic_count++;
    *nics = (struct xenfork__node_nic){.devid = devid, .link = link};
    memcpy(nics->mac, mac, sizeof(nics->mac));
    xenfork__mac_print(mac, nics->mac_text);
    return 0;
}

static const char *kind_dir(int kind)
{
    switch (kind) {
    case XENFORK_KIND_IMAGE:
        return "images";
    case XENFORK_KIND_CLONE:
        return "clones";
    default:
        return "frozen";
    }
}

char *xenfork__node_path(const xenfork_ctx *ctx, int kind,
                         const uint8_t uuid[16], const char *file)
{
    char text[XENFORK__UUID_CHARS];

    xenfork__uuid_print(uuid, text);
    return xenfork__state_path(ctx, kind_dir(kind), text, file, NULL);
}

int xenfork__node_save(xenfork_ctx *ctx, const struct xenfork__node *node)
{
    cleanup_record struct xenfork__record *record = NULL;
    cleanup_free char *dir = NULL;
    cleanup_free char *path = NULL;
    int rc;

    dir = xenfork__node_path(ctx, node->kind, node->uuid, NULL);
    path = xenfork__node_path(ctx, node->kind, node->uuid,
                              XENFORK__FILE_RECORD);
    if (!dir || !path)
        return xenfork__nomem(ctx);
    if ((rc = xenfork__record_new(ctx, &record)) < 0 ||
        (rc = xenfork__node_to_record(ctx, node, record)) < 0 ||
        (rc = xenfork__make_dir(ctx, dir)) < 0)
        return rc;
    return xenfork__record_write(ctx, path, record);
}

int xenfork__node_load(xenfork_ctx *ctx, int kind, const uint8_t uuid[16],
                       struct xenfork__node **node_out)
{
    cleanup_record struct xenfork__record *record = NULL;
    cleanup_node struct xenfork__node *node = calloc(1, sizeof(*node));
    cleanup_free char *path = xenfork__node_path(ctx, kind, uuid,
                                                 XENFORK__FILE_RECORD);
    int rc;

    if (!node || !path)
        return xenfork__nomem(ctx);
    rc = xenfork__record_read(ctx, path, &record);
    if (rc < 0)
        return rc;
    node->kind = kind;
    if (!xenfork__node_from_record(ctx, node, record) ||
        memcmp(node->uuid, uuid, 16))
        return xenfork__fail(ctx, XENFORK_E_STATE, 0, "%s is malformed", path);
    *node_out = steal_ptr(node);
    return 0;
}

int xenfork__node_remove(xenfork_ctx *ctx, int kind, const uint8_t uuid[16])
{
    cleanup_free char *dir = xenfork__node_path(ctx, kind, uuid, NULL);

    return dir ? xenfork__dir_remove(ctx, dir) : xenfork__nomem(ctx);
}

static int by_creation(const void *a, const void *b)
{
    const struct xenfork__node *x = *(struct xenfork__node *const *)a;
    const struct xenfork__node *y = *(struct xenfork__node *const *)b;

    if (x->created_s != y->created_s)
        return x->created_s < y->created_s ? -1 : 1;
    return x->domid < y->domid ? -1 : x->domid > y->domid;
}

int xenfork__node_names(xenfork_ctx *ctx, int kind, char ***names_out,
                        size_t *count_out)
{
    cleanup_free char *dir = xenfork__state_path(ctx, kind_dir(kind), NULL);

    return dir ? xenfork__dir_names(ctx, dir, names_out, count_out)
               : xenfork__nomem(ctx);
}

int xenfork__nodes_load(xenfork_ctx *ctx, int kind,
                        struct xenfork__nodes *nodes_out)
{
    cleanup_nodes struct xenfork__nodes all = {0};
    char **names;
    size_t count, i;
    int rc = xenfork__node_names(ctx, kind, &names, &count);

    if (rc < 0)
        return rc;
    all.nodes = calloc(count + 1, sizeof(struct xenfork__node *));
    if (!all.nodes)
        rc = xenfork__nomem(ctx);
    for (i = 0; i < count && rc >= 0; i++) {
        uint8_t uuid[16];

        if (!xenfork__uuid_parse(names[i], uuid))
            continue;
        rc = xenfork__node_load(ctx, kind, uuid, &all.nodes[all.count]);
        if (rc == 0)
            all.count++;
        else if (rc == XENFORK_E_STATE)
            LOG_WARN(ctx, "%s is unreadable, ignoring", names[i]);
        all.unwritten += rc == XENFORK_E_NOTFOUND;
        all.unreadable += rc == XENFORK_E_STATE;
        if (rc == XENFORK_E_STATE || rc == XENFORK_E_NOTFOUND)
            rc = 0;
    }
    xenfork__names_free(names, count);
    if (rc < 0)
        return rc;
    if (all.count)
        qsort(all.nodes, all.count, sizeof(struct xenfork__node *),
              by_creation);
    *nodes_out = all;
    all = (struct xenfork__nodes){0};
    return 0;
}

void xenfork__nodes_free(struct xenfork__nodes *nodes)
{
    int e = errno;
    size_t i;

    for (i = 0; i < nodes->count; i++)
        xenfork__node_free(nodes->nodes[i]);
    free(nodes->nodes);
    *nodes = (struct xenfork__nodes){0};
    errno = e;
}

void xenfork__node_set_domid(const xenfork_ctx *ctx, struct xenfork__node *node,
                             uint32_t domid)
{
    node->domid = domid;
    strcpy(node->boot, ctx->boot);
}

bool xenfork__node_has_domid(const xenfork_ctx *ctx,
                             const struct xenfork__node *node, uint32_t domid)
{
    return node->domid == domid && !strcmp(node->boot, ctx->boot);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Records on disk: saved, loaded, removed, listed. */
#include "state/record.h"

#include <string.h>

#include "state/files.h"
#include "state/record-text.h"

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

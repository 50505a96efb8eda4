/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "state/later.h"

#include <string.h>

#include "base/file.h"

struct xenfork__later {
    char **paths;
    size_t count;
};

void xenfork__sync_later(xenfork_ctx *ctx)
{
    /* If there is no memory for it, all is synced as it is written. */
    if (!ctx->later)
        ctx->later = calloc(1, sizeof(*ctx->later));
}

void xenfork__sync_forget(xenfork_ctx *ctx)
{
    size_t i;

    if (!ctx->later)
        return;
    for (i = 0; i < ctx->later->count; i++)
        free(ctx->later->paths[i]);
    free(ctx->later->paths);
    free(ctx->later);
    ctx->later = NULL;
}

static int note_path(struct xenfork__later *later, const char *path,
                     size_t bytes)
{
    char **paths = later->paths;

    /* Doubled: at powers of two it is full. */
    if (!(later->count & (later->count - 1)))
        paths = reallocarray(paths, later->count ? 2 * later->count : 1,
                             sizeof(*paths));
    if (!paths)
        return -1;
    later->paths = paths;
    paths[later->count] = strndup(path, bytes);
    return paths[later->count] ? (later->count++, 0) : -1;
}

int xenfork__later_names(xenfork_ctx *ctx, const char *path)
{
    size_t bytes = (size_t)(strrchr(path, '/') - path);

    return note_path(ctx->later, path, bytes ? bytes : 1);
}

int xenfork__later_file(xenfork_ctx *ctx, const char *path)
{
    return note_path(ctx->later, path, strlen(path))
               ? -1
               : xenfork__later_names(ctx, path);
}

static int sync_path(xenfork_ctx *ctx, const char *path)
{
    return xenfork__sync_file(path) ? xenfork__fail(ctx, XENFORK_E_STATE, errno,
                                                    "cannot write out %s", path)
                                    : 0;
}

static int compare_paths(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

int xenfork__sync_all(xenfork_ctx *ctx)
{
    struct xenfork__later *later = ctx->later;
    size_t i;
    int rc = 0;

    if (!later)
        return 0;
    if (later->count)
        qsort(later->paths, later->count, sizeof(*later->paths), compare_paths);
    for (i = 0; i < later->count && rc >= 0; i++)
        if (!i || strcmp(later->paths[i], later->paths[i - 1]))
            rc = sync_path(ctx, later->paths[i]);
    xenfork__sync_forget(ctx);
    return rc;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tell whether records have changed, without reading them. */
#include "state/files.h"

#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#include "base/digest.h"

/* Mix a record, a file or the one in a folder, into the mark: "7 …-xvda 12 …"
 */
static int mix(xenfork_ctx *ctx, const char *folder, const char *name,
               uint64_t *mark)
{
    cleanup_free char *path = xenfork__state_path(ctx, folder, name, NULL);
    cleanup_free char *inside = xenfork__state_path(ctx, folder, name,
                                                    XENFORK__FILE_RECORD, NULL);
    cleanup_free char *text = NULL;
    struct stat st = {0};

    if (!path || !inside)
        return xenfork__nomem(ctx);
    /* One that goes meanwhile is no record; that it went is a change. */
    if (stat(inside, &st) && stat(path, &st))
        st = (struct stat){0};
    if (asprintf(&text, "%" PRIx64 " %s/%s %" PRIu64 " %lld.%09ld %lld", *mark,
                 folder, name, (uint64_t)st.st_ino,
                 (long long)st.st_ctim.tv_sec, st.st_ctim.tv_nsec,
                 (long long)st.st_size) < 0) {
        text = NULL;
        return xenfork__nomem(ctx);
    }
    *mark = xenfork__digest(text, strlen(text));
    return 0;
}

int xenfork__state_mark(xenfork_ctx *ctx, const char *const folders[],
                        size_t count, uint64_t *mark_out)
{
    uint64_t mark = 0;
    size_t f, i, n;
    int rc = 0;

    for (f = 0; f < count && rc >= 0; f++) {
        char **names;

        rc = xenfork__state_names(ctx, folders[f], &names, &n);
        if (rc < 0)
            return rc;
        for (i = 0; i < n && rc >= 0; i++)
            rc = mix(ctx, folders[f], names[i], &mark);
        xenfork__names_free(names, n);
    }
    if (rc == 0)
        *mark_out = mark;
    return rc;
}

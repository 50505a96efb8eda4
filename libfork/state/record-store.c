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

char *xenfork__record_path(const xenfork_ctx *ctx, int kind,
                           const uint8_t uuid[16], const char *file)
{
    char text[XENFORK__UUID_CHARS];

    xenfork__uuid_print(uuid, text);
    return xenfork__state_path(ctx, kind_dir(kind), text, file, NULL);
}

int xenfork__record_save(xenfork_ctx *ctx, const struct xenfork__record *record)
{
    cleanup_keyfile struct xenfork__keyfile *keyfile = NULL;
    cleanup_free char *dir = NULL;
    cleanup_free char *path = NULL;
    int rc;

    dir = xenfork__record_path(ctx, record->kind, record->uuid, NULL);
    path = xenfork__record_path(ctx, record->kind, record->uuid,
                                XENFORK__FILE_RECORD);
    if (!dir || !path)
        return xenfork__nomem(ctx);
    if ((rc = xenfork__keyfile_new(ctx, &keyfile)) < 0 ||
        (rc = xenfork__record_to_keyfile(ctx, record, keyfile)) < 0 ||
        (rc = xenfork__make_dir(ctx, dir)) < 0)
        return rc;
    return xenfork__keyfile_write(ctx, path, keyfile);
}

int xenfork__record_load(xenfork_ctx *ctx, int kind, const uint8_t uuid[16],
                         struct xenfork__record **record_out)
{
    cleanup_keyfile struct xenfork__keyfile *keyfile = NULL;
    cleanup_record struct xenfork__record *record = calloc(1, sizeof(*record));
    cleanup_free char *path = xenfork__record_path(ctx, kind, uuid,
                                                   XENFORK__FILE_RECORD);
    int rc;

    if (!record || !path)
        return xenfork__nomem(ctx);
    rc = xenfork__keyfile_read(ctx, path, &keyfile);
    if (rc < 0)
        return rc;
    record->kind = kind;
    if (!xenfork__record_from_keyfile(ctx, record, keyfile) ||
        memcmp(record->uuid, uuid, 16))
        return xenfork__fail(ctx, XENFORK_E_STATE, 0, "%s is malformed", path);
    *record_out = steal_ptr(record);
    return 0;
}

int xenfork__record_remove(xenfork_ctx *ctx, int kind, const uint8_t uuid[16])
{
    cleanup_free char *dir = xenfork__record_path(ctx, kind, uuid, NULL);

    return dir ? xenfork__dir_remove(ctx, dir) : xenfork__nomem(ctx);
}

static int by_creation(const void *a, const void *b)
{
    const struct xenfork__record *x = *(struct xenfork__record *const *)a;
    const struct xenfork__record *y = *(struct xenfork__record *const *)b;

    if (x->created_s != y->created_s)
        return x->created_s < y->created_s ? -1 : 1;
    return x->domid < y->domid ? -1 : x->domid > y->domid;
}

int xenfork__record_names(xenfork_ctx *ctx, int kind, char ***names_out,
                          size_t *count_out)
{
    return xenfork__state_names(ctx, kind_dir(kind), names_out, count_out);
}

int xenfork__records_load(xenfork_ctx *ctx, int kind,
                          struct xenfork__records *records_out)
{
    cleanup_records struct xenfork__records all = {0};
    char **names;
    size_t count, i;
    int rc = xenfork__record_names(ctx, kind, &names, &count);

    if (rc < 0)
        return rc;
    all.records = calloc(count + 1, sizeof(struct xenfork__record *));
    if (!all.records)
        rc = xenfork__nomem(ctx);
    for (i = 0; i < count && rc >= 0; i++) {
        uint8_t uuid[16];

        if (!xenfork__uuid_parse(names[i], uuid))
            continue;
        rc = xenfork__record_load(ctx, kind, uuid, &all.records[all.count]);
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
        qsort(all.records, all.count, sizeof(struct xenfork__record *),
              by_creation);
    *records_out = all;
    all = (struct xenfork__records){0};
    return 0;
}

void xenfork__records_free(struct xenfork__records *records)
{
    int e = errno;
    size_t i;

    for (i = 0; i < records->count; i++)
        xenfork__record_free(records->records[i]);
    free(records->records);
    *records = (struct xenfork__records){0};
    errno = e;
}

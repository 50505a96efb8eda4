/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "op/named.h"

#include <string.h>

#include "op/domain.h"
#include "state/lock.h"

static const char *kind_name(int kind)
{
    return kind == XENFORK_KIND_IMAGE ? "image" : "clone";
}

/* Find the domain that a record has here, today.  NOTFOUND, not logged: none */
static int find_record_domain(xenfork_ctx *ctx,
                              const struct xenfork__record *record,
                              uint32_t *domid_out)
{
    struct xenfork__dominfo info;
    int rc = xenfork__record_info(ctx, record, &info);

    if (rc == 0)
        *domid_out = info.domid;
    /* A clone may have been saved and restored; an image never is. */
    else if (rc == XENFORK_E_NOTFOUND && record->kind == XENFORK_KIND_CLONE)
        rc = xenfork__clone_domid(ctx, record, domid_out);
    return rc == XENFORK_E_UUIDTAKEN ? XENFORK_E_NOTFOUND : rc;
}

/*
 * Record a name for later; nothing depends on it, and the next call repeats it.
 */
static void note_name(xenfork_ctx *ctx, const struct xenfork__record *record,
                      bool is_back)
{
    cleanup_lock struct xenfork__lock *lock = NULL;
    cleanup_record struct xenfork__record *now = NULL;
    char *name = strdup(record->name);

    if (name &&
        xenfork__lock_take(ctx, XENFORK__LOCK_REGISTRY, false, &lock) == 0 &&
        xenfork__record_load(ctx, record->kind, record->uuid, &now) == 0) {
        free(now->name);
        now->name = steal_ptr(name);
        if (is_back) {
            free(now->left);
            now->left = NULL;
        }
        xenfork__record_save(ctx, now);
    }
    free(name);
}

int xenfork__name_refresh(xenfork_ctx *ctx, struct xenfork__record *record,
                          uint32_t *domid_out)
{
    uint32_t domid = XENFORK_DOMID_NONE;
    bool is_other, is_back;
    char *name = NULL;
    int rc = find_record_domain(ctx, record, &domid);

    *domid_out = XENFORK_DOMID_NONE;
    if (rc == 0)
        rc = xenfork__xen_name(ctx, domid, &name);
    if (rc < 0) /* gone, or half destroyed */
        return rc == XENFORK_E_NOTFOUND ? 0 : rc;
    *domid_out = domid;
    is_other = strcmp(name, record->name);
    /* Restored, or migrated back. */
    is_back = record->left && record->left[0] &&
              !xenfork__record_has_domid(ctx, record, domid);
    free(record->name);
    record->name = name;
    if (is_other || is_back)
        note_name(ctx, record, is_back);
    return 0;
}

/* The domains that have a name, or had it before. */
struct namesakes {
    struct xenfork__record *live;    /* its domain has the name */
    struct xenfork__record *stopped; /* it had it at last */
    struct xenfork__record *renamed; /* it has another by now */
    bool is_ambiguous;
};

static int look_up(xenfork_ctx *ctx, const struct xenfork__records *records,
                   const char *name, struct namesakes *found)
{
    uint32_t domid;
    size_t i;

    for (i = 0; i < records->count; i++) {
        struct xenfork__record *record = records->records[i];
        bool was = !strcmp(record->name, name);
        int rc = xenfork__name_refresh(ctx, record, &domid);

        if (rc < 0)
            return rc;
        if (domid == XENFORK_DOMID_NONE && was) {
            found->is_ambiguous |= found->stopped != NULL;
            found->stopped = record;
        } else if (domid != XENFORK_DOMID_NONE && !strcmp(record->name, name)) {
            found->live = record;
        } else if (was) {
            found->renamed = record;
        }
    }
    found->is_ambiguous |= found->live && found->stopped;
    return 0;
}

static int say_ambiguous(xenfork_ctx *ctx, int kind, const char *name)
{
    xenfork__fail(ctx, XENFORK_E_NAMETAKEN, 0,
                  "more than one %s has the name %s: none was touched",
                  kind_name(kind), name);
    return xenfork__remedy(ctx,
                           "give its UUID, which xl fork-list --json shows");
}

/* Report that another domain has the name now; neither is touched. */
static int say_stranger(xenfork_ctx *ctx, const struct namesakes *found,
                        const char *name, uint32_t domid)
{
    const struct xenfork__record *record = found->stopped ? found->stopped
                                                          : found->renamed;
    char uuid[XENFORK__UUID_CHARS];

    xenfork__uuid_print(record->uuid, uuid);
    xenfork__fail(
        ctx, XENFORK_E_NOTOURS, 0,
        "%s is domain %u now, and not the %s that had this name, which %s %s: "
        "neither was touched",
        name, domid, kind_name(record->kind),
        found->stopped ? "is stopped and has the UUID" : "is called",
        found->stopped ? uuid : record->name);
    return xenfork__remedy(ctx, "for domain %u say %u; for the %s say %s",
                           domid, domid, kind_name(record->kind),
                           found->stopped ? uuid : record->name);
}

int xenfork__name_check(xenfork_ctx *ctx, const char *name, uint32_t domid)
{
    static const int kinds[] = {XENFORK_KIND_CLONE, XENFORK_KIND_IMAGE};
    size_t i;

    for (i = 0; i < ARRAY_SIZE(kinds); i++) {
        cleanup_records struct xenfork__records records = {0};
        struct namesakes found = {0};
        int rc;

        if ((rc = xenfork__records_load(ctx, kinds[i], &records)) < 0 ||
            (rc = look_up(ctx, &records, name, &found)) < 0)
            return rc;
        if (!found.live && (found.stopped || found.renamed))
            return say_stranger(ctx, &found, name, domid);
    }
    return 0;
}

/* Tell whether one domain has this number or name, and no other has.
 */
static bool is_domain(xenfork_ctx *ctx, const char *name)
{
    struct xenfork__dominfo info;
    uint32_t domid;

    if (xenfork__domid_parse(name, &domid))
        return xenfork__xen_info(ctx, domid, &info) == 0;
    return xenfork__xen_by_name(ctx, name, &domid) == 0 &&
           xenfork__name_check(ctx, name, domid) == 0;
}

static int not_ours(xenfork_ctx *ctx, int kind, const char *name)
{
    const char *article = kind == XENFORK_KIND_IMAGE ? "an" : "a";

    if (is_domain(ctx, name)) {
        xenfork__fail(ctx, XENFORK_E_NOTOURS, 0,
                      "domain %s is not %s %s of xenfork", name, article,
                      kind_name(kind));
        return xenfork__remedy(ctx, "xl fork-list shows images and clones; "
                                    "xl destroy is for other domains");
    }
    xenfork__fail(ctx, XENFORK_E_NOTFOUND, 0, "there is no %s named %s",
                  kind_name(kind), name);
    return xenfork__remedy(ctx, "xl fork-list shows images and clones");
}

/* Return the only record that has this name; NULL: none, or more. */
static struct xenfork__record *only_one(const struct xenfork__records *records,
                                        const char *name)
{
    struct xenfork__record *found = NULL;
    size_t i;

    for (i = 0; i < records->count; i++) {
        if (strcmp(records->records[i]->name, name) != 0)
            continue;
        if (found)
            return NULL;
        found = records->records[i];
    }
    return found;
}

/*
 * Find the only record that has this name, if its domain has it today: no other
 * domain has it, so none of the others is asked.  NULL: ask all
 */
static int find_at_once(xenfork_ctx *ctx,
                        const struct xenfork__records *records,
                        const char *name, struct xenfork__record **record_out)
{
    struct xenfork__record *record = only_one(records, name);
    cleanup_free char *now = NULL;
    uint32_t domid;
    int rc;

    *record_out = NULL;
    /* One that has left may be back, which is to be noted. */
    if (!record || (record->left && record->left[0]))
        return 0;
    if ((rc = find_record_domain(ctx, record, &domid)) < 0 ||
        (rc = xenfork__xen_name(ctx, domid, &now)) < 0)
        return rc == XENFORK_E_NOTFOUND ? 0 : rc;
    if (!strcmp(now, name))
        *record_out = record;
    return 0;
}

static int find_by_name(xenfork_ctx *ctx, int kind,
                        const struct xenfork__records *records,
                        const char *name, struct xenfork__record **record_out)
{
    struct namesakes found = {0};
    uint32_t domid = XENFORK_DOMID_NONE;
    int rc = find_at_once(ctx, records, name, record_out);

    if (rc < 0 || *record_out)
        return rc;
    if ((rc = look_up(ctx, records, name, &found)) < 0)
        return rc;
    if (found.is_ambiguous)
        return say_ambiguous(ctx, kind, name);
    if (found.live) {
        *record_out = found.live;
        return 0;
    }
    rc = xenfork__xen_by_name(ctx, name, &domid);
    if (rc < 0 && rc != XENFORK_E_NOTFOUND)
        return rc;
    if (rc == 0 && (found.stopped || found.renamed))
        return say_stranger(ctx, &found, name, domid);
    if (found.stopped) {
        *record_out = found.stopped;
        return 0;
    }
    if (!found.renamed)
        return not_ours(ctx, kind, name);
    xenfork__fail(ctx, XENFORK_E_NOTFOUND, 0, "there is no %s named %s",
                  kind_name(kind), name);
    return xenfork__remedy(ctx, "the one that had this name is called %s now",
                           found.renamed->name);
}

static int find_now(xenfork_ctx *ctx, int kind, const char *name,
                    struct xenfork__record **record_out)
{
    cleanup_records struct xenfork__records records = {0};
    struct xenfork__record *record;
    int rc = xenfork__records_load(ctx, kind, &records);

    if (rc < 0)
        return rc;
    rc = xenfork__records_find(ctx, &records, name, &record);
    if (rc == XENFORK_E_NOTFOUND)
        rc = find_by_name(ctx, kind, &records, name, &record);
    if (rc < 0)
        return rc;
    rc = xenfork__record_load(ctx, kind, record->uuid, record_out);
    if (rc == 0 && strcmp((*record_out)->name, record->name)) {
        free((*record_out)->name);
        (*record_out)->name = record->name;
        record->name = NULL;
    }
    return rc;
}

void xenfork__named_forget(xenfork_ctx *ctx)
{
    if (ctx->named)
        xenfork__records_free(ctx->named);
    free(ctx->named);
    ctx->named = NULL;
}

static int load_for_batch(xenfork_ctx *ctx)
{
    int rc;

    if (ctx->named)
        return 0;
    ctx->named = calloc(1, sizeof(*ctx->named));
    if (!ctx->named)
        return xenfork__nomem(ctx);
    rc = xenfork__records_load(ctx, XENFORK_KIND_CLONE, ctx->named);
    if (rc < 0)
        xenfork__named_forget(ctx);
    return rc;
}

/*
 * Find a clone of the batch, all of which are looked at once.  NULL: it is not
 * as it was then, so look anew
 */
static int find_in_batch(xenfork_ctx *ctx, const char *name,
                         struct xenfork__record **record_out)
{
    struct xenfork__record *record = NULL;
    int rc = load_for_batch(ctx);

    if (rc < 0)
        return rc;
    rc = xenfork__records_find(ctx, ctx->named, name, &record);
    if (rc == XENFORK_E_NOTFOUND)
        rc = find_at_once(ctx, ctx->named, name, &record);
    if (rc < 0 || !record)
        return rc;
    rc = xenfork__record_load(ctx, XENFORK_KIND_CLONE, record->uuid,
                              record_out);
    if (rc == 0 && strcmp((*record_out)->name, record->name) != 0) {
        xenfork__record_free(*record_out);
        *record_out = NULL;
    }
    return rc == XENFORK_E_NOTFOUND ? 0 : rc;
}

int xenfork__named(xenfork_ctx *ctx, int kind, const char *name,
                   struct xenfork__record **record_out)
{
    *record_out = NULL;
    if (ctx->is_batch && kind == XENFORK_KIND_CLONE) {
        int rc = find_in_batch(ctx, name, record_out);

        if (rc < 0 || *record_out)
            return rc;
    }
    return find_now(ctx, kind, name, record_out);
}

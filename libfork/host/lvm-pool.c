/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Check that a thin pool of LVM takes another snapshot.  lvcreate asks before
 * it makes one (pool_below_threshold(), lib/metadata/thin_manip.c), and the
 * source stands still then.
 */
#include "host/lvm.h"

#include <stdlib.h>
#include <string.h>

#include "host/run.h"

#define THRESHOLD  "activation/thin_pool_autoextend_threshold"
#define FIELDS     7U
#define ROUNDED    0.005          /* lvs says two digits */
#define META_BYTES (4096 * 1024.) /* LVM keeps so much free, or a quarter */

struct pool {
    char name[512];
    double data, meta, meta_bytes; /* in per cent */
    double threshold;
    const char *health, *check, *profile, *permissions;
};

/* Split "a|b||d", with its empty fields.  False: there are too few */
static bool split_fields(char *text, char *fields[FIELDS])
{
    size_t i;

    text += strspn(text, " ");
    text[strcspn(text, "\n")] = '\0';
    for (i = 0; i < FIELDS; i++) {
        if (!text)
            return false;
        fields[i] = strsep(&text, "|");
    }
    return true;
}

static int read_threshold(xenfork_ctx *ctx, struct pool *pool)
{
    const char *argv[] = {"lvmconfig", "--type", "full", THRESHOLD,
                          NULL,        NULL,     NULL};
    cleanup_free char *output = NULL;
    const char *value;
    int rc;

    if (pool->profile[0]) {
        argv[4] = "--metadataprofile";
        argv[5] = pool->profile;
    }
    rc = xenfork__sys_run(ctx, XENFORK_E_IO, argv, &output);
    if (rc < 0)
        return rc;
    value = strchr(output, '=');
    pool->threshold = value ? strtod(value + 1, NULL) : 100;
    return 0;
}

static int refuse_pool(xenfork_ctx *ctx, const struct pool *pool,
                       const char *what, double percent)
{
    if (percent >= 100)
        return xenfork__miss(ctx, XENFORK_E_NOSPC,
                             "the %s of thin pool %s %s full", what, pool->name,
                             !strcmp(what, "data") ? "are" : "is");
    return xenfork__miss(ctx, XENFORK_E_NOSPC,
                         "%.2f %% of the %s of thin pool %s are used, and LVM "
                         "makes no snapshots above %.2f %%",
                         percent, what, pool->name, pool->threshold);
}

static int check_usage(xenfork_ctx *ctx, struct pool *pool)
{
    double keep = pool->meta_bytes > 0 ? 100 * META_BYTES / pool->meta_bytes
                                       : 25;
    double most = 100 - (keep < 25 ? keep : 25);

    if (pool->data >= 100 || pool->data - ROUNDED > pool->threshold) {
        refuse_pool(ctx, pool, "data", pool->data);
        return xenfork__remedy(
            ctx, "lvextend -L +SIZE %s; or raise " THRESHOLD " in lvm.conf",
            pool->name);
    }
    if (most > pool->threshold)
        most = pool->threshold;
    if (pool->meta < most - ROUNDED)
        return 0;
    pool->threshold = most;
    refuse_pool(ctx, pool, "metadata", pool->meta);
    return xenfork__remedy(ctx, "lvextend --poolmetadatasize +SIZE %s",
                           pool->name);
}

static int check_health(xenfork_ctx *ctx, const struct pool *pool)
{
    bool needs_check = !strcmp(pool->check, "check needed");

    if (!strcmp(pool->permissions, "read-only")) {
        xenfork__miss(ctx, XENFORK_E_DISK,
                      "the volume group of thin pool %s is read-only",
                      pool->name);
        return xenfork__remedy(ctx, "vgs -o vg_permissions says whether it can "
                                    "be written");
    }
    if (strcmp(pool->health, "metadata_read_only") != 0 &&
        strcmp(pool->health, "failed") != 0 && !needs_check)
        return 0;
    xenfork__miss(ctx, XENFORK_E_DISK, "thin pool %s needs a repair (%s)",
                  pool->name, needs_check ? pool->check : pool->health);
    return xenfork__remedy(ctx,
                           "shut down what uses it, lvchange -an %s, lvconvert "
                           "--repair %s",
                           pool->name, pool->name);
}

static int find_pool(xenfork_ctx *ctx, const char *vg, const char *name,
                     struct pool *pool)
{
    const char *const argv[] = {"lvs", "--noheadings", "-o", "pool_lv",
                                "--",  name,           NULL};
    cleanup_free char *output = NULL;
    char *lv, *rest = NULL;
    int rc = xenfork__sys_run(ctx, XENFORK_E_IO, argv, &output);

    if (rc < 0)
        return rc;
    lv = strtok_r(output, " \n", &rest);
    if (!lv)
        return xenfork__fail(ctx, XENFORK_E_IO, 0,
                             "lvs does not say which pool %s is in", name);
    snprintf(pool->name, sizeof(pool->name), "%s/%s", vg, lv);
    return 0;
}

int xenfork__lv_check_pool(xenfork_ctx *ctx, const char *vg, const char *name)
{
    struct pool pool = {.threshold = 100};
    const char *const argv[] = {
        "lvs",
        "--noheadings",
        "--separator",
        "|",
        "--units",
        "b",
        "--nosuffix",
        "-o",
        "data_percent,metadata_percent,lv_metadata_size,lv_health_status,"
        "lv_check_needed,lv_profile,vg_permissions",
        "--",
        pool.name,
        NULL};
    cleanup_free char *output = NULL;
    char *fields[FIELDS];
    int rc;

    if ((rc = find_pool(ctx, vg, name, &pool)) < 0 ||
        (rc = xenfork__sys_run(ctx, XENFORK_E_IO, argv, &output)) < 0)
        return rc;
    if (!split_fields(output, fields))
        return xenfork__fail(ctx, XENFORK_E_IO, 0, "lvs does not say how %s is",
                             pool.name);
    pool.data = strtod(fields[0], NULL);
    pool.meta = strtod(fields[1], NULL);
    pool.meta_bytes = strtod(fields[2], NULL);
    pool.health = fields[3];
    pool.check = fields[4];
    pool.profile = fields[5];
    pool.permissions = fields[6];
    if ((rc = check_health(ctx, &pool)) < 0 ||
        (rc = read_threshold(ctx, &pool)) < 0)
        return rc;
    return check_usage(ctx, &pool);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Thin volumes of LVM, by its own programs: liblvm is gone (LVM 2.03), and
 * LVM's metadata is nobody else's.
 */
#include "host/host.h"
#include "host/lvm.h"
#include "host/run.h"

#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#define DEV "/dev/"

/* Ask device-mapper about a device: this needs no process. */
static bool dm_says(const char *path, const char *what, char *text, int bytes)
{
    char file[64];
    cleanup_file FILE *f = NULL;
    struct stat st;

    if (stat(path, &st) || !S_ISBLK(st.st_mode))
        return false;
    snprintf(file, sizeof(file), "/sys/dev/block/%u:%u/dm/%s",
             major(st.st_rdev), minor(st.st_rdev), what);
    f = fopen(file, "re");
    return f && fgets(text, bytes, f);
}

/* Tell whether the device is a volume of LVM, of any kind. */
static bool is_lv(const char *path)
{
    char uuid[8] = "";

    return dm_says(path, "uuid", uuid, sizeof(uuid)) &&
           !strncmp(uuid, "LVM-", 4);
}

static int no_thin_volume(xenfork_ctx *ctx, const char *path)
{
    return xenfork__miss(ctx, XENFORK_E_DISK, "%s is no thin volume of LVM",
                         path);
}

/*
 * The group and the volume in the name of the mapping, "VG-LV", where a hyphen
 * of a name is written twice (dm_build_dm_name(), libdevmapper).  LVM does not
 * take every path of a device for one of its volumes: not /dev/dm-3, nor a link
 * to it.
 */
struct lv {
    char vg[256], name[512]; /* "VG/LV" */
};

static bool name_of(const char *path, struct lv *out)
{
    char name[256] = "";
    size_t n = 0, slash = 0;
    const char *p;

    if (!is_lv(path) || !dm_says(path, "name", name, sizeof(name)))
        return false;
    for (p = name; *p && *p != '\n'; p++) {
        bool is_hyphen = *p == '-' && p[1] == '-';

        if (*p == '-' && !is_hyphen) {
            if (slash || !n)
                return false; /* of a layer below a volume */
            slash = n;
        }
        out->name[n++] = *p == '-' && !is_hyphen ? '/' : *p;
        p += is_hyphen;
    }
    out->name[n] = '\0';
    snprintf(out->vg, sizeof(out->vg), "%.*s", (int)slash, out->name);
    return slash && slash + 1 < n;
}

int xenfork__sys_lv_is_thin(xenfork_ctx *ctx, const char *path)
{
    struct lv lv;
    const char *const argv[] = {"lvs", "--noheadings", "-o", "segtype",
                                "--",  lv.name,        NULL};
    cleanup_free char *output = NULL;
    char *type, *rest = NULL;
    int rc;

    if (!name_of(path, &lv))
        return no_thin_volume(ctx, path);
    rc = xenfork__sys_run(ctx, XENFORK_E_IO, argv, &output);
    if (rc < 0)
        return rc;
    type = strtok_r(output, " \n", &rest);
    return type && !strcmp(type, "thin") ? 0 : no_thin_volume(ctx, path);
}

int xenfork__sys_lv_dir(xenfork_ctx *ctx, const char *path, char **dir_out)
{
    struct lv lv;

    if (!name_of(path, &lv))
        return no_thin_volume(ctx, path);
    return asprintf(dir_out, DEV "%s", lv.vg) < 0 ? xenfork__nomem(ctx) : 0;
}

int xenfork__sys_lv_check_pool(xenfork_ctx *ctx, const char *path)
{
    struct lv lv;

    return name_of(path, &lv) ? xenfork__lv_check_pool(ctx, lv.vg, lv.name)
                              : no_thin_volume(ctx, path);
}

/*
 * Split "/dev/VG/LV" into both names, in a copy that the caller frees; NULL: it
 * has another form
 */
static char *split_name(const char *path, const char **vg_out,
                        const char **lv_out)
{
    char *copy = strncmp(path, DEV, strlen(DEV)) ? NULL
                                                 : strdup(path + strlen(DEV));
    char *slash = copy ? strchr(copy, '/') : NULL;

    if (!slash) {
        free(copy);
        return NULL;
    }
    *slash = '\0';
    *vg_out = copy;
    *lv_out = slash + 1;
    return copy;
}

int xenfork__sys_lv_snapshot(xenfork_ctx *ctx, const char *src, const char *dst,
                             bool is_base)
{
    const char *vg, *lv;
    cleanup_free char *names = split_name(dst, &vg, &lv);
    struct lv from;
    const char *const argv[] = {"lvcreate",
                                "-qq",
                                "--yes",
                                "--snapshot",
                                "--setactivationskip",
                                "n",
                                "--permission",
                                is_base ? "r" : "rw",
                                "--name",
                                names ? lv : NULL,
                                "--",
                                from.name,
                                NULL};

    if (!names)
        return xenfork__nomem(ctx);
    if (!name_of(src, &from))
        return xenfork__fail(ctx, XENFORK_E_DISK, 0,
                             "%s is no volume of LVM any more", src);
    return xenfork__sys_run_whole(ctx, XENFORK_E_DISK, argv);
}

int xenfork__sys_lv_usage(xenfork_ctx *ctx, const char *path,
                          uint64_t *allocated_kib_out)
{
    const char *const argv[] = {
        "lvs", "--noheadings",         "--units", "k",  "--nosuffix",
        "-o",  "lv_size,data_percent", "--",      path, NULL};
    cleanup_free char *output = NULL;
    double size_kib, percent;
    int rc = xenfork__sys_run(ctx, XENFORK_E_DISK, argv, &output);

    if (rc < 0)
        return rc;
    if (sscanf(output, "%lf %lf", &size_kib, &percent) != 2)
        return xenfork__fail(ctx, XENFORK_E_DISK, 0,
                             "lvs does not say how much %s has", path);
    *allocated_kib_out = (uint64_t)(size_kib * percent / 100);
    return 0;
}

/*
 * Tell whether a volume exists.  The status of lvremove does not tell: it is
 * the same for all failures.
 */
static int exists(xenfork_ctx *ctx, const char *vg, const char *lv,
                  bool *exists_out)
{
    cleanup_free char *select = NULL;
    cleanup_free char *output = NULL;
    const char *argv[] = {"lvs", "--noheadings", "-o", "lv_name", "--select",
                          NULL,  "--",           vg,   NULL};
    int rc;

    if (asprintf(&select, "lv_name=%s", lv) < 0) {
        select = NULL;
        return xenfork__nomem(ctx);
    }
    argv[5] = select;
    rc = xenfork__sys_run(ctx, XENFORK_E_DISK, argv, &output);
    if (rc == 0)
        *exists_out = output[strspn(output, " \n")];
    return rc;
}

int xenfork__sys_lv_exists(xenfork_ctx *ctx, const char *path, bool *exists_out)
{
    const char *vg, *lv;
    cleanup_free char *names = split_name(path, &vg, &lv);

    return names ? exists(ctx, vg, lv, exists_out) : xenfork__nomem(ctx);
}

int xenfork__sys_lv_remove(xenfork_ctx *ctx, const char *path)
{
    const char *vg, *lv;
    cleanup_free char *names = split_name(path, &vg, &lv);
    const char *const argv[] = {"lvremove", "-qq", "--yes", "--", path, NULL};
    bool is_there = false;
    int rc;

    if (!names)
        return xenfork__nomem(ctx);
    rc = exists(ctx, vg, lv, &is_there);
    if (rc < 0 || !is_there)
        return rc;
    return xenfork__sys_run_whole(ctx, XENFORK_E_DISK, argv);
}

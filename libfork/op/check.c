/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "op/check.h"

#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#include "disk/disk.h"
#include "host/host.h"
#include "op/check-image.h"
#include "op/findings.h"
#include "op/frozen.h"
#include "op/identity.h"
#include "op/memory.h"
#include "op/nic.h"
#include "op/pages.h"
#include "op/quiesce.h"
#include "op/reserve.h"
#include "op/view.h"
#include "state/folder.h"
#include "state/record.h"

static int refuse(xenfork_ctx *ctx, xenfork_check *check, int code,
                  const char *text, const char *remedy)
{
    xenfork__miss(ctx, code, "%s", text);
    return xenfork__finding_note(ctx, check,
                                 xenfork__remedy(ctx, "%s", remedy));
}

static int check_saved(xenfork_ctx *ctx, xenfork_check *check, uint32_t domid,
                       bool *is_out)
{
    *is_out = xenfork__sys_is_saved(domid);
    if (!*is_out)
        return 0;
    return refuse(ctx, check, XENFORK_E_NOTRUNNING,
                  "the domain is being saved or migrated",
                  "wait until xl save or xl migrate has ended, and fork it "
                  "where it runs");
}

static int check_suspended(xenfork_ctx *ctx, xenfork_check *check,
                           uint32_t domid, const char *name)
{
    bool is_saved;
    int rc = check_saved(ctx, check, domid, &is_saved);

    if (rc < 0 || is_saved)
        return rc;
    xenfork__miss(ctx, XENFORK_E_NOTRUNNING, "the domain is suspended");
    return xenfork__finding_note(
        ctx, check,
        xenfork__remedy(ctx,
                        "xl resume %s (Xen 4.20), and fork it when it "
                        "runs",
                        name));
}

static int check_state(xenfork_ctx *ctx, xenfork_check *check,
                       const struct xenfork__dominfo *info, const char *name)
{
    bool is_saved;

    if (info->is_dying)
        return refuse(ctx, check, XENFORK_E_NOTRUNNING,
                      "the domain is being destroyed",
                      "start it anew, and fork it when it runs");
    /*
     * A domain that is being migrated runs while its pages are sent: those are
     * of a type that Xen does not share (p2m_is_sharable(), Xen 4.17), and its
     * suspension is not ours.
     */
    if (!info->is_shutdown)
        return check_saved(ctx, check, info->domid, &is_saved);
    if (info->shutdown_reason == XENFORK__SHUTDOWN_SUSPEND)
        return check_suspended(ctx, check, info->domid, name);
    return refuse(ctx, check, XENFORK_E_NOTRUNNING,
                  "the domain has shut down or crashed",
                  "destroy what is left of it, start it anew, and fork it "
                  "when it runs");
}

static int check_type(xenfork_ctx *ctx, xenfork_check *check,
                      const struct xenfork__config *config)
{
    if (config->type == XENFORK__TYPE_PV)
        return refuse(ctx, check, XENFORK_E_PV, "it is a PV guest",
                      "run it as type=\"pvh\"; Xen shares memory of PVH and "
                      "HVM guests only");
    return 0;
}

/*
 * Refuse a guest that has more than it may own: what it shares does not count,
 * and to write it later it would need pages past the limit, which crashes it.
 */
static int check_limit(xenfork_ctx *ctx, const struct xenfork__dominfo *info)
{
    uint64_t pages = info->private_pages + info->shared_pages;

    if (pages <= info->max_pages)
        return 0;
    xenfork__miss(ctx, XENFORK_E_HYPERVISOR,
                  "domain %u has %llu KiB of memory and is to have %llu",
                  info->domid, (unsigned long long)pages * XENFORK__PAGE_KIB,
                  (unsigned long long)info->max_pages * XENFORK__PAGE_KIB);
    return xenfork__remedy(ctx, "wait until its balloon driver has given back "
                                "the rest, or let it have what it has "
                                "(xl mem-set)");
}

static int check_guest(xenfork_ctx *ctx, xenfork_check *check,
                       const xenfork_spec *spec,
                       const struct xenfork__dominfo *info,
                       const struct xenfork__config *config)
{
    int how = spec ? spec->quiesce : XENFORK_QUIESCE_AUTO;
    bool is_stop;
    int rc;

    rc = xenfork__finding_note(ctx, check,
                               xenfork__xen_can_share(ctx, info->domid));
    if (rc < 0 || config->type == XENFORK__TYPE_PV || info->is_shutdown ||
        info->is_dying ||
        (rc = xenfork__finding_note(ctx, check, check_limit(ctx, info))) < 0)
        return rc;
    return xenfork__finding_note(
        ctx, check, xenfork__quiesce_choose(ctx, info->domid, how, &is_stop));
}

/*
 * Refuse a file with several names where the snapshot renames the file: the
 * other names would stay.
 */
static int check_names(xenfork_ctx *ctx, const struct xenfork__disk *disk,
                       const char *file, const struct stat *st)
{
    if (st->st_nlink < 2)
        return 0;
    xenfork__miss_disk(
        ctx, disk->vdev, disk->path,
        "the file has %ju names (hard links), and by another one it could be "
        "written while clones are backed by it",
        (uintmax_t)st->st_nlink);
    return xenfork__remedy(ctx,
                           "remove the others (find -samefile %s); or shut the "
                           "domain down, and give it a copy of the file",
                           file);
}

/* Check the folder of a disk's file: bases and overlays are made there. */
static int check_file(xenfork_ctx *ctx, const struct xenfork__disk *disk,
                      const struct xenfork__disk_driver *driver)
{
    const char *file = strchr(disk->path, '/');
    struct stat st;
    int rc;

    if (!file || stat(file, &st) || !S_ISREG(st.st_mode))
        return 0;
    if (driver->parent && (rc = check_names(ctx, disk, file, &st)) < 0)
        return rc;
    rc = xenfork__folder_check_file(ctx, file);
    return rc == XENFORK_E_DISK ? xenfork__disk_refuse_so(ctx, disk) : rc;
}

/*
 * Refuse a VHD of an HVM domain that tapback serves: the device model is a
 * client of its tapdisk, too (libxl_disk.c, 4.20), and nobody has seen what
 * becomes of that when the tapdisk switches to another file.  Behind the
 * kernel's nbd the tapdisk switches below the device that both have open.
 */
static int refuse_tap(xenfork_ctx *ctx, const struct xenfork__disk *disk)
{
    xenfork__miss_disk(
        ctx, disk->vdev, disk->path,
        "the HVM domain's device model has it open, too, by backendtype=tap");
    return xenfork__remedy(
        ctx, "give the domain the disk as script=block-fork,target=vhd:FILE");
}

/* Check the places of the clones' disks that have a UUID of the user's. */
static int check_places(xenfork_ctx *ctx, const xenfork_spec *spec,
                        const struct xenfork__disk *disk,
                        const struct xenfork__disk_driver *driver)
{
    uint32_t i;
    int rc = 0;

    for (i = 0; spec && i < spec->count && rc >= 0; i++)
        if (spec->clones[i].has_uuid)
            rc = xenfork__disk_check_new(ctx, driver, disk,
                                         spec->clones[i].uuid);
    return rc;
}

/*
 * Check one disk.  A refused disk is left out of the plan; there is a finding
 * instead.
 */
static int check_disk(xenfork_ctx *ctx, xenfork_check *check,
                      const xenfork_spec *spec, uint32_t domid,
                      const struct xenfork__disk *disk, bool is_hvm,
                      bool is_frozen)
{
    struct xenfork_disk *plan = &check->disks[check->disk_count];
    const struct xenfork__disk_driver *driver;
    int rc = xenfork__disk_choose(ctx, spec, disk, is_frozen, &driver);

    if (rc == 0 && is_hvm && driver && !strcmp(disk->backend, "tap"))
        rc = refuse_tap(ctx, disk);
    if (rc == 0 && driver && driver->clone)
        rc = check_file(ctx, disk, driver);
    if (rc == 0 && driver && driver->clone)
        rc = check_places(ctx, spec, disk, driver);
    if (rc == 0 && driver && disk->path && !disk->is_foreign)
        rc = xenfork__disk_is_served(ctx, domid, disk->vdev, disk->path);
    /* A clone's own copy of what others write to would be of no use. */
    if (rc == 0 && driver && disk->is_readwrite)
        rc = xenfork__xen_disk_shared(ctx, domid, disk);
    if (rc < 0)
        return xenfork__finding_note(ctx, check, rc);
    *plan = (struct xenfork_disk){.vdev = strdup(disk->vdev),
                                  .driver = driver ? driver->name
                                                   : XENFORK__DISK_NONE,
                                  .why = driver ? driver->why : "left out"};
    if (!plan->vdev)
        return xenfork__nomem(ctx);
    check->disk_count++;
    return 0;
}

static int check_disks(xenfork_ctx *ctx, xenfork_check *check,
                       const xenfork_spec *spec, uint32_t domid,
                       const struct xenfork__config *config, bool is_frozen)
{
    uint32_t i;
    int rc;

    check->disks = calloc(config->disk_count + 1, sizeof(*check->disks));
    if (!check->disks)
        return xenfork__nomem(ctx);
    rc = xenfork__finding_note(ctx, check,
                               xenfork__disks_wishes(ctx, spec, config));
    for (i = 0; i < config->disk_count && rc >= 0; i++)
        rc = check_disk(ctx, check, spec, domid, &config->disks[i],
                        config->type == XENFORK__TYPE_HVM, is_frozen);
    return rc;
}

static int check_nics(xenfork_ctx *ctx, xenfork_check *check,
                      const xenfork_spec *spec, uint32_t domid,
                      const struct xenfork__config *config)
{
    uint32_t i;
    int rc = 0;

    for (i = 0; i < config->nic_count && rc >= 0; i++)
        rc = xenfork__finding_note(
            ctx, check, xenfork__nic_check(ctx, spec, domid, config, i));
    return rc;
}

static int check_refused(xenfork_ctx *ctx, xenfork_check *check,
                         const struct xenfork__refused *refused)
{
    xenfork__miss(ctx, refused->code,
                  refused->code == XENFORK_E_PASSTHROUGH
                      ? "it has a device that cannot be in two domains: %s"
                      : "it has a device that cannot be forked: %s",
                  refused->what);
    return xenfork__finding_note(ctx, check,
                                 xenfork__remedy(ctx, "%s", refused->remedy));
}

static int check_devices(xenfork_ctx *ctx, xenfork_check *check,
                         const xenfork_spec *spec, uint32_t domid,
                         const struct xenfork__config *config, bool is_frozen)
{
    uint32_t i;
    int rc = 0;

    for (i = 0; i < config->refused_count && rc >= 0; i++)
        rc = check_refused(ctx, check, &config->refused[i]);
    if (rc < 0)
        return rc;
    rc = check_nics(ctx, check, spec, domid, config);
    return rc < 0 ? rc
                  : check_disks(ctx, check, spec, domid, config, is_frozen);
}

static int check_memory(xenfork_ctx *ctx, xenfork_check *check,
                        const xenfork_spec *spec,
                        const struct xenfork__dominfo *info)
{
    struct xenfork__reservation reservation;
    uint64_t pages;
    int rc;

    if ((rc = xenfork__pages_count(ctx, info, &pages)) < 0 ||
        (rc = xenfork__reservation(ctx, spec, info, false, pages,
                                   &reservation)) < 0)
        return rc;
    return xenfork__finding_note(ctx, check,
                                 xenfork__reservation_check(ctx, &reservation));
}

static int check_clones(xenfork_ctx *ctx, xenfork_check *check,
                        const xenfork_spec *spec,
                        const struct xenfork__dominfo *info,
                        const struct xenfork__config *config)
{
    int rc = xenfork__check_identities(ctx, check, spec, config);

    return rc < 0 ? rc : check_memory(ctx, check, spec, info);
}

int xenfork__check_source(xenfork_ctx *ctx, const struct xenfork__dominfo *info,
                          const struct xenfork__config *config,
                          const xenfork_spec *spec, bool is_frozen,
                          xenfork_check **check_out)
{
    xenfork_check *check = calloc(1, sizeof(*check));
    int rc;

    if (!check)
        return xenfork__nomem(ctx);
    rc = xenfork__finding_note(ctx, check,
                               xenfork__memory_refuse(ctx, info, config->name));
    if (rc < 0 || (rc = check_state(ctx, check, info, config->name)) < 0 ||
        (rc = check_type(ctx, check, config)) < 0 ||
        (rc = check_guest(ctx, check, spec, info, config)) < 0 ||
        (rc = check_devices(ctx, check, spec, info->domid, config, is_frozen)) <
            0 ||
        (spec && (rc = check_clones(ctx, check, spec, info, config)) < 0)) {
        xenfork_check_free(check);
        return rc;
    }
    *check_out = check;
    return 0;
}

/*
 * Look at a frozen source, which counts as running, and need not be paused.
 * *image_out is its image, if there is one, which is forked in its place.
 */
static int see_frozen(xenfork_ctx *ctx, struct xenfork__dominfo *info,
                      bool *is_frozen_out, struct xenfork__record **image_out)
{
    cleanup_record struct xenfork__record *frozen = NULL;
    int rc = xenfork__frozen_load(ctx, info->uuid, &frozen);

    *is_frozen_out = rc == 0;
    if (rc < 0)
        return rc == XENFORK_E_NOTFOUND ? 0 : rc;
    info->is_shutdown = false;
    rc = xenfork__frozen_image(ctx, frozen, image_out);
    return rc == XENFORK_E_NOTFOUND ? 0 : rc;
}

/* Check a domain; one that is an image, or has one, by that. */
static int check_either(xenfork_ctx *ctx, struct xenfork__dominfo *info,
                        const xenfork_spec *spec, xenfork_check **check_out)
{
    cleanup_record struct xenfork__record *image = NULL;
    struct xenfork__config *config;
    bool is_frozen = false;
    int rc = xenfork__record_load(ctx, XENFORK_KIND_IMAGE, info->uuid, &image);

    if (rc == XENFORK_E_NOTFOUND)
        rc = see_frozen(ctx, info, &is_frozen, &image);
    if (rc == 0 && image)
        rc = xenfork__xen_info(ctx, image->domid, info);
    if (rc < 0)
        return rc;
    if (image)
        return xenfork__check_image(ctx, image, info, spec, check_out);
    if ((rc = xenfork__xen_config_get(ctx, info->domid, &config)) < 0)
        return rc;
    rc = xenfork__check_source(ctx, info, config, spec, is_frozen, check_out);
    xenfork__config_free(config);
    return rc;
}

XENFORK_API int xenfork_check_open(xenfork_ctx *ctx, uint32_t domid,
                                   const xenfork_spec *spec,
                                   xenfork_check **check_out)
{
    struct xenfork__dominfo info;
    xenfork_spec *standard = NULL;
    int rc;

    xenfork__begin(ctx, domid);
    ctx->stage = XENFORK_STAGE_CHECK;
    if (!check_out)
        return xenfork__fail(ctx, XENFORK_E_INVAL, 0, "no check");
    if (domid == 0)
        return xenfork__fail(ctx, XENFORK_E_INVAL, 0,
                             "domain 0 cannot be forked");
    if ((rc = xenfork__xen_info(ctx, domid, &info)) < 0)
        return rc;
    if (!spec)
        rc = xenfork_spec_new(1, &standard);
    if (rc == 0)
        rc = check_either(ctx, &info, spec ? spec : standard, check_out);
    xenfork_spec_free(standard);
    return rc;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "op/check-image.h"

#include "disk/disk.h"
#include "op/findings.h"
#include "op/identity.h"
#include "op/job.h"
#include "op/nic.h"
#include "op/reserve.h"

int xenfork__check_identities(xenfork_ctx *ctx, xenfork_check *check,
                              const xenfork_spec *spec,
                              const struct xenfork__config *config)
{
    struct xenfork__taken taken = {0};
    uint32_t i;
    int rc = xenfork__taken_load(ctx, &taken);

    for (i = 0; i < spec->count && rc >= 0; i++)
        rc = xenfork__finding_note(
            ctx, check, xenfork__identity_check(ctx, spec, i, config, &taken));
    xenfork__taken_free(&taken);
    return rc;
}

static int check_nic_places(xenfork_ctx *ctx, xenfork_check *check,
                            const xenfork_spec *spec,
                            const struct xenfork__config *config)
{
    uint32_t i;
    int rc = 0;

    for (i = 0; i < config->nic_count && rc >= 0; i++)
        rc = xenfork__finding_note(
            ctx, check, xenfork__nic_check_place(ctx, spec, config, i));
    return rc;
}

static int check_reservation(xenfork_ctx *ctx, xenfork_check *check,
                             const struct xenfork__record *image,
                             const struct xenfork__dominfo *info,
                             const xenfork_spec *spec)
{
    struct xenfork__reservation reservation;
    int rc = xenfork__reservation(ctx, spec, info, true, image->pages,
                                  &reservation);

    return rc < 0
               ? rc
               : xenfork__finding_note(
                     ctx, check, xenfork__reservation_check(ctx, &reservation));
}

/* Check the places of the clones' disks that have a UUID of the user's. */
static int check_image_places(xenfork_ctx *ctx, xenfork_check *check,
                              const struct xenfork__record *image,
                              const xenfork_spec *spec,
                              const struct xenfork__config *config)
{
    uint32_t i;
    int rc = 0;

    for (i = 0; i < spec->count && rc >= 0; i++)
        if (spec->clones[i].has_uuid)
            rc = xenfork__finding_note(
                ctx, check,
                xenfork__disks_check_new(ctx, spec, config, image,
                                         spec->clones[i].uuid));
    return rc;
}

int xenfork__check_image(xenfork_ctx *ctx, const struct xenfork__record *image,
                         const struct xenfork__dominfo *info,
                         const xenfork_spec *spec, xenfork_check **check_out)
{
    xenfork_check *check = calloc(1, sizeof(*check));
    struct xenfork__config *config = NULL;
    int rc;

    if (!check)
        return xenfork__nomem(ctx);
    if ((rc = xenfork__image_config(ctx, image, info, &config)) < 0 ||
        (rc = xenfork__finding_note(
             ctx, check, xenfork__disks_wishes(ctx, spec, config))) < 0 ||
        (rc = check_nic_places(ctx, check, spec, config)) < 0 ||
        (rc = xenfork__check_identities(ctx, check, spec, config)) < 0 ||
        (rc = check_image_places(ctx, check, image, spec, config)) < 0 ||
        (rc = check_reservation(ctx, check, image, info, spec)) < 0) {
        xenfork_check_free(check);
        xenfork__config_free(config);
        return rc;
    }
    xenfork__config_free(config);
    *check_out = check;
    return 0;
}

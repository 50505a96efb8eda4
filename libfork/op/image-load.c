/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* An image that is there already, for more clones of it. */
#include "op/job.h"

#include "disk/disk.h"
#include "op/domain.h"
#include "state/files.h"

#define MAX_CONFIG_BYTES (4U << 20)

/* Load its configuration, which is in the state directory. */
static int load_image_config(xenfork_ctx *ctx,
                             const struct xenfork__record *image,
                             struct xenfork__config **config_out)
{
    cleanup_free char *path = NULL;
    cleanup_free char *json = NULL;
    size_t bytes;
    int rc;

    path = xenfork__record_path(ctx, XENFORK_KIND_IMAGE, image->uuid,
                                XENFORK__FILE_CONFIG);
    if (!path)
        return xenfork__nomem(ctx);
    rc = xenfork__file_read(ctx, path, MAX_CONFIG_BYTES, &json, &bytes);
    if (rc == XENFORK_E_NOTFOUND) {
        xenfork__fail(ctx, XENFORK_E_STATE, 0,
                      "image %s has lost its configuration", image->name);
        return xenfork__remedy(ctx, "fork the source anew; xl "
                                    "fork-image-destroy removes the "
                                    "image");
    }
    if (rc < 0)
        return rc;
    return xenfork__xen_config_parse(ctx, json, config_out);
}

int xenfork__image_config(xenfork_ctx *ctx, const struct xenfork__record *image,
                          const struct xenfork__dominfo *info,
                          struct xenfork__config **config_out)
{
    if (!xenfork__image_is_broken(info))
        return load_image_config(ctx, image, config_out);
    xenfork__fail(ctx, XENFORK_E_STATE, 0,
                  "image %s is broken: somebody has let it run", image->name);
    return xenfork__remedy(ctx,
                           "xl fork-image-destroy %s, and fork %s once more",
                           image->name, image->parent_name);
}

/*
 * Load the image of a frozen source.  The clones' identities are checked when
 * they are chosen, right after this: nothing runs that would stand still in
 * vain.
 */
int xenfork__image_load(struct xenfork__job *job)
{
    uint32_t source;
    int rc;

    if ((rc = xenfork__source_refresh(job->ctx, job->image, &source)) < 0 ||
        (rc = xenfork__image_config(job->ctx, job->image, &job->info,
                                    &job->config)) < 0 ||
        (rc = xenfork__disks_wishes(job->ctx, job->spec, job->config)) < 0)
        return rc;
    return xenfork__reservation(job->ctx, job->spec, &job->info, true,
                                job->image->pages, &job->reservation);
}

int xenfork__image_claim(struct xenfork__job *job)
{
    int rc = xenfork__journal_claim(job->ctx, job->journal, job->image->uuid,
                                    job->max_pages);

    return rc < 0 ? rc
                  : xenfork__reservation_claim(job->ctx, job->image->domid,
                                               &job->reservation);
}

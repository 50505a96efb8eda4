/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* An image that is there already, for more clones of it. */
#include "op/job.h"

#include "disk/disk.h"
#include "op/domain.h"
#include "state/files.h"

#define MAX_CONFIG_BYTES (4U << 20)

/* Load its configuration, which is in the state directory. */
static int load_image_config(struct xenfork__job *job)
{
    cleanup_free char *path = NULL;
    cleanup_free char *json = NULL;
    size_t bytes;
    int rc;

    path = xenfork__record_path(job->ctx, XENFORK_KIND_IMAGE, job->image->uuid,
                                XENFORK__FILE_CONFIG);
    if (!path)
        return xenfork__nomem(job->ctx);
    rc = xenfork__file_read(job->ctx, path, MAX_CONFIG_BYTES, &json, &bytes);
    if (rc == XENFORK_E_NOTFOUND) {
        xenfork__fail(job->ctx, XENFORK_E_STATE, 0,
                      "image %s has lost its configuration", job->image->name);
        return xenfork__remedy(job->ctx, "fork the source anew; xl "
                                         "fork-image-destroy removes the "
                                         "image");
    }
    if (rc < 0)
        return rc;
    return xenfork__xen_config_parse(job->ctx, json, &job->config);
}

/*
 * The clones' identities are checked when they are chosen, right after this:
 * nothing runs that would stand still in vain.
 */
int xenfork__image_load(struct xenfork__job *job)
{
    int rc;

    if (xenfork__image_is_broken(&job->info)) {
        xenfork__fail(job->ctx, XENFORK_E_STATE, 0,
                      "image %s is broken: somebody has let it run",
                      job->image->name);
        return xenfork__remedy(job->ctx,
                               "xl fork-image-destroy %s, and fork "
                               "%s once more",
                               job->image->name, job->image->parent_name);
    }
    if ((rc = load_image_config(job)) < 0 ||
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

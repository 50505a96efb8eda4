/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "op/guest.h"

#include <string.h>

#include "state/keyfile.h"
#include "xen/xen.h"

#define ENTROPY_BYTES 64U

int xenfork__generation_new(xenfork_ctx *ctx, char out[XENFORK__UUID_CHARS])
{
    uint8_t uuid[16];
    int rc = xenfork__uuid_random(ctx, uuid);

    if (rc == 0)
        xenfork__uuid_print(uuid, out);
    return rc;
}

int xenfork__guest_source(xenfork_ctx *ctx, struct xenfork__journal *journal,
                          uint32_t domid)
{
    char generation[XENFORK__UUID_CHARS];
    cleanup_free char *old = NULL;
    int rc = xenfork__xen_guest_generation(ctx, domid, &old);

    if (rc != XENFORK_E_NOTFOUND)
        return rc;
    if ((rc = xenfork__generation_new(ctx, generation)) < 0 ||
        (rc = xenfork__journal_publishing(ctx, journal)) < 0)
        return rc;
    return xenfork__xen_guest_publish(
        ctx, domid,
        &(struct xenfork__guest){.role = XENFORK__ROLE_SOURCE,
                                 .generation = generation});
}

/*
 * The file with what a clone was told besides its generation, to tell it again.
 */
#define FILE_TOLD "told"

/*
 * List the source's MACs, which the clone must not use any more.  Caller frees
 */
static char *list_macs(const struct xenfork__record *image)
{
    char *text = NULL;
    size_t bytes;
    FILE *stream = open_memstream(&text, &bytes);
    uint32_t i;

    for (i = 0; stream && i < image->nic_count; i++)
        fprintf(stream, "%s%d=%s", i ? " " : "", image->nics[i].devid,
                image->nics[i].mac_text);
    if (!stream || fclose(stream) == 0)
        return text;
    free(text);
    return NULL;
}

int xenfork__guest_keep(xenfork_ctx *ctx, const uint8_t uuid[16],
                        const struct xenfork__record *image, uint32_t index,
                        const struct xenfork__clone_spec *spec)
{
    cleanup_keyfile struct xenfork__keyfile *keyfile = NULL;
    cleanup_free char *macs = list_macs(image);
    cleanup_free char *path = xenfork__record_path(ctx, XENFORK_KIND_CLONE,
                                                   uuid, FILE_TOLD);
    uint32_t i;
    int rc;

    if (!path || !macs)
        return xenfork__nomem(ctx);
    if ((rc = xenfork__keyfile_new(ctx, &keyfile)) < 0 ||
        (rc = xenfork__keyfile_set(ctx, keyfile, "source",
                                   image->parent_name)) < 0 ||
        (rc = xenfork__keyfile_set(ctx, keyfile, "source.macs", macs)) < 0 ||
        (rc = xenfork__keyfile_set_u64(ctx, keyfile, "index", index)) < 0)
        return rc;
    for (i = 0; i < spec->param_count; i++)
        if ((rc = xenfork__keyfile_set_nth(ctx, keyfile, "param.key", i,
                                           spec->params[i].key)) < 0 ||
            (rc = xenfork__keyfile_set_nth(ctx, keyfile, "param.value", i,
                                           spec->params[i].value)) < 0)
            return rc;
    return xenfork__keyfile_write(ctx, path, keyfile);
}

/* Tell a guest, with fresh entropy: its agent adapts at each of its starts. */
static int tell_guest(xenfork_ctx *ctx, uint32_t domid,
                      struct xenfork__guest *guest)
{
    char entropy[2 * ENTROPY_BYTES + 1];
    int rc;

    if (!xenfork__random_hex(entropy, ENTROPY_BYTES))
        return xenfork__fail(ctx, XENFORK_E_IO, errno,
                             "cannot draw entropy for domain %u", domid);
    guest->role = XENFORK__ROLE_CLONE;
    guest->entropy = entropy;
    rc = xenfork__xen_guest_publish(ctx, domid, guest);
    explicit_bzero(entropy, sizeof(entropy));
    return rc;
}

int xenfork__guest_clone(xenfork_ctx *ctx, uint32_t domid,
                         const char *generation,
                         const struct xenfork__record *image, uint32_t index,
                         const struct xenfork__clone_spec *spec)
{
    cleanup_free char *macs = list_macs(image);
    struct xenfork__guest guest = {.generation = generation,
                                   .source = image->parent_name,
                                   .index = index,
                                   .source_macs = macs,
                                   .param_count = spec->param_count,
                                   .params = spec->params};

    return macs ? tell_guest(ctx, domid, &guest) : xenfork__nomem(ctx);
}

/*
 * Return the record's texts, which live as long as it does; caller frees the
 * array.
 */
static int told_params(xenfork_ctx *ctx, const struct xenfork__keyfile *keyfile,
                       struct xenfork__guest *guest,
                       struct xenfork__pair **params_out)
{
    struct xenfork__pair *params = NULL, *more;
    uint32_t n = 0;
    const char *key, *value;

    while ((key = xenfork__keyfile_get_nth(keyfile, "param.key", n)) &&
           (value = xenfork__keyfile_get_nth(keyfile, "param.value", n))) {
        more = reallocarray(params, n + 1, sizeof(*params));
        if (!more) {
            free(params);
            return xenfork__nomem(ctx);
        }
        params = more;
        params[n++] = (struct xenfork__pair){.key = (char *)key,
                                             .value = (char *)value};
    }
    guest->params = *params_out = params;
    guest->param_count = n;
    return 0;
}

int xenfork__guest_again(xenfork_ctx *ctx, uint32_t domid,
                         const struct xenfork__record *clone)
{
    cleanup_free char *path = xenfork__record_path(ctx, XENFORK_KIND_CLONE,
                                                   clone->uuid, FILE_TOLD);
    struct xenfork__guest guest = {.generation = clone->generation};
    cleanup_keyfile struct xenfork__keyfile *keyfile = NULL;
    cleanup_free struct xenfork__pair *params = NULL;
    uint64_t index = 0;
    int rc;

    if (!path)
        return xenfork__nomem(ctx);
    if ((rc = xenfork__keyfile_read(ctx, path, &keyfile)) < 0 ||
        (rc = told_params(ctx, keyfile, &guest, &params)) < 0)
        return rc;
    guest.source = xenfork__keyfile_get(keyfile, "source");
    guest.source_macs = xenfork__keyfile_get(keyfile, "source.macs");
    if (!guest.source || !guest.source_macs ||
        !xenfork__keyfile_get_u64(keyfile, "index", &index) ||
        index > UINT32_MAX)
        return xenfork__fail(ctx, XENFORK_E_STATE, 0, "%s is malformed", path);
    guest.index = (uint32_t)index;
    return tell_guest(ctx, domid, &guest);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a guest is told, and what it says: fork/ is ours and the guest reads
 * it; data/fork/ack is the guest's, and nothing but a comparison is made with
 * it.
 */
#include "xen-handles.h"

#include <string.h>

#define FORK_PATH  "/local/domain/%u/fork"
#define ACK_PATH   "/local/domain/%u/data/fork/ack"
#define PATH_BYTES 64U

static bool put(xenfork_ctx *ctx, xs_transaction_t t, uint32_t domid,
                const char *name, const char *value)
{
    return !value ||
           xenfork__xs_write(ctx, t, value, FORK_PATH "/%s", domid, name);
}

static bool put_params(xenfork_ctx *ctx, xs_transaction_t t, uint32_t domid,
                       const struct xenfork__guest *guest)
{
    uint32_t i;

    for (i = 0; i < guest->param_count; i++)
        if (!xenfork__xs_write(ctx, t, guest->params[i].value,
                               FORK_PATH "/params/%s", domid,
                               guest->params[i].key))
            return false;
    return true;
}

/*
 * The first entry names the owner and what everybody else may; nodes made in
 * a node inherit its permissions (xenstored: construct_node(), 4.17).
 */
static bool make_dir(xenfork_ctx *ctx, xs_transaction_t t, uint32_t domid)
{
    struct xs_permissions perms[] = {
        {.id = xenfork__own_domid(ctx), .perms = XS_PERM_NONE},
        {.id = domid, .perms = XS_PERM_READ},
    };
    char path[PATH_BYTES];

    snprintf(path, sizeof(path), FORK_PATH, domid);
    xenfork__count(ctx, XENFORK_COUNT_XENSTORE_OPS, 2);
    return xs_mkdir(ctx->xen->xs, t, path) &&
           xs_set_permissions(ctx->xen->xs, t, path, perms, ARRAY_SIZE(perms));
}

static bool put_all(xenfork_ctx *ctx, xs_transaction_t t, uint32_t domid,
                    const struct xenfork__guest *guest)
{
    char index[16];

    snprintf(index, sizeof(index), "%u", guest->index);
    return make_dir(ctx, t, domid) && put(ctx, t, domid, "role", guest->role) &&
           put(ctx, t, domid, "generation", guest->generation) &&
           put(ctx, t, domid, "source", guest->source) &&
           put(ctx, t, domid, "index", guest->source ? index : NULL) &&
           put(ctx, t, domid, "entropy", guest->entropy) &&
           put_params(ctx, t, domid, guest);
}

/* In one transaction; EAGAIN: again. */
static int try_publish(xenfork_ctx *ctx, uint32_t domid,
                       const struct xenfork__guest *guest)
{
    struct xs_handle *xs = ctx->xen->xs;
    xs_transaction_t t = xs_transaction_start(xs);
    int e = 0;

    xenfork__count(ctx, XENFORK_COUNT_XENSTORE_OPS, 2);
    if (t == XBT_NULL)
        return errno;
    if (!put_all(ctx, t, domid, guest))
        e = errno;
    if (!xs_transaction_end(xs, t, e != 0) && !e)
        e = errno;
    return e;
}

int xenfork__xen_guest_publish(xenfork_ctx *ctx, uint32_t domid,
                               const struct xenfork__guest *guest)
{
    uint32_t tries = 0;
    int e;

    LOG_DEBUG(ctx, "telling domain %u that it is a %s", domid, guest->role);
    do
        e = try_publish(ctx, domid, guest);
    while (e == EAGAIN && ++tries < XENFORK__XS_TRIES);
    if (e)
        return xenfork__fail(ctx, XENFORK_E_XEN, e,
                             "cannot tell domain %u of the fork", domid);
    return 0;
}

int xenfork__xen_guest_retract(xenfork_ctx *ctx, uint32_t domid)
{
    if (!xenfork__xs_rm(ctx, FORK_PATH, domid))
        return xenfork__fail(ctx, XENFORK_E_XEN, errno,
                             "cannot remove what domain %u was told", domid);
    return 0;
}

int xenfork__xen_guest_generation(xenfork_ctx *ctx, uint32_t domid,
                                  char **generation_out)
{
    char *generation = xenfork__xs_read(ctx, XBT_NULL, FORK_PATH "/generation",
                                        domid);

    if (!generation && errno == ENOENT)
        return xenfork__miss(ctx, XENFORK_E_NOTFOUND,
                             "domain %u has no generation", domid);
    if (!generation)
        return xenfork__fail(ctx, XENFORK_E_XEN, errno,
                             "cannot read the generation of domain %u", domid);
    *generation_out = generation;
    return 0;
}

/* The protocol bounds what is read: 4096 bytes (XENSTORE_PAYLOAD_MAX). */
int xenfork__xen_guest_has_acked(xenfork_ctx *ctx, uint32_t domid,
                                 const char *generation, bool *has_out)
{
    cleanup_free char *path = NULL;
    cleanup_free char *value = NULL;
    unsigned int bytes = 0;

    if (asprintf(&path, ACK_PATH, domid) < 0) {
        path = NULL;
        return xenfork__nomem(ctx);
    }
    xenfork__count(ctx, XENFORK_COUNT_XENSTORE_OPS, 1);
    value = xs_read(ctx->xen->xs, XBT_NULL, path, &bytes);
    /* The guest may have made it unreadable, or a directory of it. */
    if (!value && errno != ENOENT && errno != EACCES)
        return xenfork__fail(ctx, XENFORK_E_XEN, errno,
                             "cannot read what domain %u acknowledges", domid);
    *has_out = value && bytes == strlen(generation) &&
               !memcmp(value, generation, bytes);
    return 0;
}

int xenfork__xen_guest_drop_entropy(xenfork_ctx *ctx, uint32_t domid)
{
    if (!xenfork__xs_rm(ctx, FORK_PATH "/entropy", domid))
        return xenfork__fail(ctx, XENFORK_E_XEN, errno,
                             "cannot remove the entropy of domain %u", domid);
    return 0;
}

/* Token: the domid; see xenfork__xen_wait_event(). */
int xenfork__xen_guest_watch(xenfork_ctx *ctx, uint32_t domid)
{
    char path[PATH_BYTES], token[16];

    snprintf(path, sizeof(path), ACK_PATH, domid);
    snprintf(token, sizeof(token), "%u", domid);
    xenfork__count(ctx, XENFORK_COUNT_XENSTORE_OPS, 1);
    if (!xs_watch(ctx->xen->xs, path, token))
        return xenfork__fail(ctx, XENFORK_E_XEN, errno,
                             "cannot watch domain %u in xenstore", domid);
    return 0;
}

void xenfork__xen_guest_unwatch(xenfork_ctx *ctx, uint32_t domid)
{
    char path[PATH_BYTES], token[16];

    snprintf(path, sizeof(path), ACK_PATH, domid);
    snprintf(token, sizeof(token), "%u", domid);
    xenfork__count(ctx, XENFORK_COUNT_XENSTORE_OPS, 1);
    xs_unwatch(ctx->xen->xs, path, token);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Talk to a guest by xenstore: fork/ is ours and the guest reads it; data/fork/
 * is the guest's.  Its acknowledgement is only compared, and its text about an
 * error is cleaned before anybody reads it.
 */
#include "xen/handles.h"

#include <string.h>

#include "base/ids.h"
#include "base/spec.h"
#include "xen/pipe.h"
#include "xen/xen.h"

#define FORK_PATH  "/local/domain/%u/fork"
#define SAID_PATH  "/local/domain/%u/data/fork/%s"
#define PATH_BYTES 64U

static void put_fork_node(xenfork_ctx *ctx, uint32_t t, uint32_t domid,
                          const char *name, const char *value)
{
    if (value)
        xenfork__pipe_write(ctx, t, value, FORK_PATH "/%s", domid, name);
}

struct publication {
    uint32_t domid, own;
    const struct xenfork__guest *guest;
};

/*
 * Put all nodes.  We own the folder, and the guest may read it; nodes made in a
 * node inherit its permissions (xenstored: construct_node(), 4.17).
 */
static void put_all(xenfork_ctx *ctx, uint32_t t, const void *opaque)
{
    const struct publication *publication = opaque;
    const struct xenfork__guest *guest = publication->guest;
    uint32_t i, domid = publication->domid;
    char index[16];

    snprintf(index, sizeof(index), "%u", guest->index);
    xenfork__pipe_mkdir(ctx, t, FORK_PATH, domid);
    xenfork__pipe_permit(ctx, t, publication->own, domid, FORK_PATH, domid);
    put_fork_node(ctx, t, domid, "role", guest->role);
    put_fork_node(ctx, t, domid, "generation", guest->generation);
    put_fork_node(ctx, t, domid, "source", guest->source);
    put_fork_node(ctx, t, domid, "index", guest->source ? index : NULL);
    put_fork_node(ctx, t, domid, "source-macs", guest->source_macs);
    put_fork_node(ctx, t, domid, "entropy", guest->entropy);
    for (i = 0; i < guest->param_count; i++)
        xenfork__pipe_write(ctx, t, guest->params[i].value,
                            FORK_PATH "/params/%s", domid,
                            guest->params[i].key);
}

int xenfork__xen_guest_publish(xenfork_ctx *ctx, uint32_t domid,
                               const struct xenfork__guest *guest)
{
    const struct publication publication = {
        .domid = domid, .own = xenfork__own_domid(ctx), .guest = guest};
    int e;

    LOG_DEBUG(ctx, "telling domain %u that it is a %s", domid, guest->role);
    e = xenfork__pipe_transact(ctx, put_all, &publication);
    if (e)
        return xenfork__fail(ctx, XENFORK_E_XEN, e,
                             "cannot tell domain %u of the fork", domid);
    return 0;
}

int xenfork__xen_guest_remove(xenfork_ctx *ctx, uint32_t domid)
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

/*
 * Read what the guest says, which the protocol bounds: 4096 bytes
 * (XENSTORE_PAYLOAD_MAX).  NULL in @value_out: it is not there, or the guest
 * has made it unreadable, or a directory of it.  Caller frees
 */
static int read_said(xenfork_ctx *ctx, uint32_t domid, const char *key,
                     char **value_out, unsigned int *bytes_out)
{
    char path[PATH_BYTES];

    snprintf(path, sizeof(path), SAID_PATH, domid, key);
    xenfork__xs_count(ctx, 1);
    *value_out = xs_read(ctx->xen->xs, XBT_NULL, path, bytes_out);
    if (!*value_out && errno != ENOENT && errno != EACCES)
        return xenfork__fail(ctx, XENFORK_E_XEN, errno,
                             "cannot read what domain %u says of its fork",
                             domid);
    return 0;
}

static int has_said(xenfork_ctx *ctx, uint32_t domid, const char *key,
                    const char *generation, bool *has_out)
{
    cleanup_free char *value = NULL;
    unsigned int bytes = 0;
    int rc = read_said(ctx, domid, key, &value, &bytes);

    if (rc == 0)
        *has_out = value && bytes == strlen(generation) &&
                   !memcmp(value, generation, bytes);
    return rc;
}

int xenfork__xen_guest_answers(xenfork_ctx *ctx, uint32_t domid,
                               const char *generation,
                               struct xenfork__answers *answers_out)
{
    struct xenfork__answers answers = {0};
    cleanup_free char *fault = NULL;
    unsigned int bytes = 0;
    int rc;

    if ((rc = has_said(ctx, domid, "ack", generation, &answers.has_acked)) <
            0 ||
        (rc = has_said(ctx, domid, "reseeded", generation,
                       &answers.has_reseeded)) < 0 ||
        (!answers.has_acked &&
         (rc = read_said(ctx, domid, "error", &fault, &bytes)) < 0))
        return rc;
    if (fault)
        xenfork__clean(fault, bytes, answers.fault, sizeof(answers.fault));
    *answers_out = answers;
    return 0;
}

int xenfork__xen_guest_remove_entropy(xenfork_ctx *ctx, uint32_t domid)
{
    if (!xenfork__xs_rm(ctx, FORK_PATH "/entropy", domid))
        return xenfork__fail(ctx, XENFORK_E_XEN, errno,
                             "cannot remove the entropy of domain %u", domid);
    return 0;
}

static const char *const watched[] = {"ack", "error"};

/* Watch what a guest says.  Token: the domid; see xenfork__xen_wait_event(). */
int xenfork__xen_guest_watch(xenfork_ctx *ctx, uint32_t domid)
{
    char path[PATH_BYTES], token[16];
    size_t i;

    snprintf(token, sizeof(token), "%u", domid);
    for (i = 0; i < ARRAY_SIZE(watched); i++) {
        snprintf(path, sizeof(path), SAID_PATH, domid, watched[i]);
        xenfork__xs_count(ctx, 1);
        if (!xs_watch(ctx->xen->xs, path, token)) {
            int e = errno;

            xenfork__xen_guest_unwatch(ctx, domid);
            return xenfork__fail(ctx, XENFORK_E_XEN, e,
                                 "cannot watch domain %u in xenstore", domid);
        }
    }
    return 0;
}

void xenfork__xen_guest_unwatch(xenfork_ctx *ctx, uint32_t domid)
{
    char path[PATH_BYTES], token[16];
    size_t i;

    snprintf(token, sizeof(token), "%u", domid);
    for (i = 0; i < ARRAY_SIZE(watched); i++) {
        snprintf(path, sizeof(path), SAID_PATH, domid, watched[i]);
        xenfork__xs_count(ctx, 1);
        xs_unwatch(ctx->xen->xs, path, token);
    }
}

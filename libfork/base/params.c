/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Do the parameters of a fork's clones agree with each other? */
#include "base/spec.h"

#include <string.h>
#include <strings.h>

static bool is_ip_key(const char *key)
{
    return !strcasecmp(key, "ip") || !strncasecmp(key, "ip.", 3);
}

static bool has_address(const struct xenfork__clone_spec *c)
{
    uint32_t i;

    for (i = 0; i < c->param_count; i++)
        if (is_ip_key(c->params[i].key) && strchr(c->params[i].value, '/'))
            return true;
    return false;
}

/* Return the address that both would have; NULL: none */
static const char *find_shared(const struct xenfork__clone_spec *a,
                               const struct xenfork__clone_spec *b)
{
    uint32_t i, j;

    for (i = 0; i < a->param_count; i++)
        for (j = 0; j < b->param_count; j++)
            if (is_ip_key(a->params[i].key) &&
                !strcasecmp(a->params[i].key, b->params[j].key) &&
                xenfork__params_share(a->params[i].value, b->params[j].value))
                return a->params[i].value;
    return NULL;
}

/*
 * Tell whether they may hear each other: not when one is held, or on another
 * bridge.
 */
static bool can_meet(const struct xenfork__clone_spec *a,
                     const struct xenfork__clone_spec *b, uint32_t nics)
{
    uint32_t n;

    for (n = 0; n < nics; n++) {
        const struct xenfork__nic_spec *x = xenfork__nic_spec(a, n);
        const struct xenfork__nic_spec *y = xenfork__nic_spec(b, n);
        const char *one = x && x->bridge ? x->bridge : "";
        const char *other = y && y->bridge ? y->bridge : "";

        if (!strcmp(one, other) &&
            xenfork__nic_link(a, n) != XENFORK_LINK_HOLD &&
            xenfork__nic_link(b, n) != XENFORK_LINK_HOLD)
            return true;
    }
    return false;
}

int xenfork__params_check(xenfork_ctx *ctx, const xenfork_spec *spec,
                          uint32_t clone, uint32_t nics)
{
    const struct xenfork__clone_spec *c = &spec->clones[clone];
    const char *shared;
    uint32_t i;

    for (i = 0; i < c->param_count; i++)
        if (!strcasecmp(c->params[i].key, "gateway") && c->params[i].value[0] &&
            !has_address(c)) {
            xenfork__miss(ctx, XENFORK_E_INVAL,
                          "clone %u has the parameter gateway, and no address",
                          clone + 1);
            return xenfork__remedy(ctx, "say ip=ADDRESS/PREFIX as well");
        }
    for (i = 0; i < clone; i++) {
        shared = find_shared(&spec->clones[i], c);
        if (!shared || !can_meet(&spec->clones[i], c, nics))
            continue;
        xenfork__miss(ctx, XENFORK_E_INVAL,
                      "clones %u and %u would have the same address: %s", i + 1,
                      clone + 1, shared);
        return xenfork__remedy(ctx, "give each its own, by --params-file");
    }
    return 0;
}

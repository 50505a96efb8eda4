/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * For xenforkd: what the configuration of a domain that shuts down wants, and
 * who carries it out.
 */
#include "xen/events.h"

#include <string.h>

#include "xen/handles.h"

#define MARK_KEY "/libxl/%u/xenforkd"

void xenfork__host_config_free(struct xenfork__host_config *config)
{
    if (!config)
        return;
    free(config->name);
    free(config->json);
    free(config->nics);
    free(config);
}

static int action_of(libxl_action_on_shutdown action)
{
    switch (action) {
    case LIBXL_ACTION_ON_SHUTDOWN_RESTART:
        return XENFORK__ACTION_RESTART;
    case LIBXL_ACTION_ON_SHUTDOWN_RESTART_RENAME:
        return XENFORK__ACTION_RENAME;
    case LIBXL_ACTION_ON_SHUTDOWN_PRESERVE:
        return XENFORK__ACTION_PRESERVE;
    case LIBXL_ACTION_ON_SHUTDOWN_COREDUMP_DESTROY:
        return XENFORK__ACTION_COREDUMP_DESTROY;
    case LIBXL_ACTION_ON_SHUTDOWN_COREDUMP_RESTART:
        return XENFORK__ACTION_COREDUMP_RESTART;
    case LIBXL_ACTION_ON_SHUTDOWN_SOFT_RESET:
        return XENFORK__ACTION_SOFT_RESET;
    default:
        return XENFORK__ACTION_DESTROY;
    }
}

static int convert_defaults(xenfork_ctx *ctx, libxl_domain_config *from,
                            struct xenfork__host_config **config_out)
{
    struct xenfork__host_config *config = calloc(1, sizeof(*config));
    int i;

    if (!config)
        return xenfork__nomem(ctx);
    config->name = strdup(from->c_info.name ? from->c_info.name : "");
    config->json = libxl_domain_config_to_json(ctx->xen->xl, from);
    config->nics = calloc((size_t)from->num_nics + 1, sizeof(int));
    if (!config->name || !config->json || !config->nics) {
        xenfork__host_config_free(config);
        return xenfork__nomem(ctx);
    }
    for (i = 0; i < from->num_nics; i++)
        config->nics[config->nic_count++] = from->nics[i].devid;
    config->actions[XENFORK__SHUTDOWN_POWEROFF] = action_of(from->on_poweroff);
    config->actions[XENFORK__SHUTDOWN_REBOOT] = action_of(from->on_reboot);
    config->actions[XENFORK__SHUTDOWN_CRASH] = action_of(from->on_crash);
    config->actions[XENFORK__SHUTDOWN_WATCHDOG] = action_of(from->on_watchdog);
    config->actions[XENFORK__SHUTDOWN_SOFT_RESET] = action_of(
        from->on_soft_reset);
    config->actions[XENFORK__SHUTDOWN_SUSPEND] = XENFORK__ACTION_PRESERVE;
    *config_out = config;
    return 0;
}

int xenfork__host_config_get(xenfork_ctx *ctx, uint32_t domid,
                             struct xenfork__host_config **config_out)
{
    libxl_domain_config config;
    struct xenfork__op op;
    int r, rc;

    libxl_domain_config_init(&config);
    xenfork__op_init(&op);
    r = libxl_retrieve_domain_configuration(ctx->xen->xl, domid, &config,
                                            &op.how);
    r = xenfork__op_wait(ctx, &op, r);
    rc = r ? xenfork__fail(ctx, XENFORK_E_XEN, 0,
                           "cannot get the configuration of domain %u "
                           "(libxl: %d)",
                           domid, r)
           : convert_defaults(ctx, &config, config_out);
    libxl_domain_config_dispose(&config);
    return rc;
}

int xenfork__host_is_foreign(xenfork_ctx *ctx, uint32_t domid, bool *is_out)
{
    uint8_t *data = NULL;
    int bytes = 0;

    if (libxl_userdata_retrieve(ctx->xen->xl, domid, "libvirt-xml", &data,
                                &bytes))
        return xenfork__fail(ctx, XENFORK_E_XEN, 0,
                             "cannot tell which toolstack has made domain %u",
                             domid);
    *is_out = data && bytes > 0;
    free(data);
    return 0;
}

/* Copy the text that xs_read gave; NULL: there is none, or errno says why. */
static int short_word(xenfork_ctx *ctx, uint32_t domid, const char *text,
                      const char *what, char word_out[16])
{
    if (!text && errno != ENOENT)
        return xenfork__fail(ctx, XENFORK_E_XEN, errno,
                             "cannot read the %s of domain %u", what, domid);
    snprintf(word_out, 16, "%s", text ? text : "");
    return 0;
}

int xenfork__host_was_suspended(xenfork_ctx *ctx, uint32_t domid, bool *was_out)
{
    cleanup_free char *text = xenfork__xs_read(
        ctx, XBT_NULL, "/libxl/%u/" XENFORK__MARK, domid);
    char word[16];
    int rc = short_word(ctx, domid, text, "mark", word);

    if (rc == 0)
        *was_out = !strcmp(word, XENFORK__MARK_SUSPENDED);
    return rc;
}

int xenfork__host_mark(xenfork_ctx *ctx, uint32_t domid, char mark_out[16])
{
    cleanup_free char *text = xenfork__xs_read(ctx, XBT_NULL, MARK_KEY, domid);

    return short_word(ctx, domid, text, "mark", mark_out);
}

int xenfork__host_set_mark(xenfork_ctx *ctx, uint32_t domid, const char *mark)
{
    char path[64];

    snprintf(path, sizeof(path), MARK_KEY, domid);
    if (!xs_write(ctx->xen->xs, XBT_NULL, path, mark,
                  (unsigned int)strlen(mark)))
        return xenfork__fail(ctx, XENFORK_E_XEN, errno, "cannot write %s",
                             path);
    return 0;
}

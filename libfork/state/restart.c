/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "state/restart.h"

#include <string.h>

#include "base/ids.h"
#include "state/files.h"
#include "state/keyfile.h"
#include "state/record.h"

char *xenfork__restart_path(const xenfork_ctx *ctx, const uint8_t domain[16],
                            const char *file)
{
    char text[XENFORK__UUID_CHARS];

    xenfork__uuid_print(domain, text);
    return xenfork__state_path(ctx, XENFORK__RESTART_DIR, text, file, NULL);
}

bool xenfork__restart_is_pending(xenfork_ctx *ctx, const uint8_t domain[16])
{
    keep_error struct xenfork__kept kept = xenfork__keep(ctx);
    cleanup_keyfile struct xenfork__keyfile *keyfile = NULL;
    cleanup_free char *path = xenfork__restart_path(ctx, domain,
                                                    XENFORK__FILE_RECORD);
    const char *boot;

    if (!path || xenfork__keyfile_read(ctx, path, &keyfile) < 0)
        return false;
    boot = xenfork__keyfile_get(keyfile, "boot");
    return boot && !strcmp(boot, ctx->boot);
}

int xenfork__restart_forget(xenfork_ctx *ctx, const uint8_t domain[16])
{
    cleanup_free char *dir = xenfork__restart_path(ctx, domain, NULL);
    cleanup_free char *record = xenfork__restart_path(ctx, domain,
                                                      XENFORK__FILE_RECORD);
    int rc;

    if (!dir || !record)
        return xenfork__nomem(ctx);
    rc = xenfork__file_remove_durably(ctx, record);
    return rc < 0 ? rc : xenfork__dir_remove(ctx, dir);
}

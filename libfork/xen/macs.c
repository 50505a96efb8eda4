/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* MAC addresses that domains of this host have. */
#include "xen/handles.h"

#include <string.h>

#include "state/files.h"
#include "xen/xen.h"

#define MAX_MACS    65536U
#define MAX_RECORD  (4U << 20)
#define MAC_TEXT    17U            /* characters */
#define RECORDS_DIR "/var/lib/xen" /* libxl_userdata_store() */

struct macs {
    uint8_t *bytes;
    size_t count;
    size_t room;
};

static bool add_mac(struct macs *macs, const char *text)
{
    unsigned int b[6];
    size_t i, room;
    uint8_t *bytes;

    if (sscanf(text, "%2x:%2x:%2x:%2x:%2x:%2x", &b[0], &b[1], &b[2], &b[3],
               &b[4], &b[5]) != 6)
        return true;
    if (macs->count == macs->room) {
        room = macs->room * 2 + 16;
        bytes = realloc(macs->bytes, room * 6);
        if (!bytes)
            return false;
        macs->bytes = bytes;
        macs->room = room;
    }
    for (i = 0; i < 6; i++)
        macs->bytes[macs->count * 6 + i] = (uint8_t)b[i];
    macs->count++;
    return true;
}

static bool add_live_nic(xenfork_ctx *ctx, struct macs *macs, const char *domid,
                         const char *devid)
{
    cleanup_free char *text = xenfork__xs_read(
        ctx, XBT_NULL, "/libxl/%s/device/vif/%s/mac", domid, devid);
    cleanup_free char *backend = NULL;

    if (!text) {
        backend = xenfork__xs_read(
            ctx, XBT_NULL, "/libxl/%s/device/vif/%s/backend", domid, devid);
        if (backend)
            text = xenfork__xs_read(ctx, XBT_NULL, "%s/mac", backend);
    }
    return !text || add_mac(macs, text);
}

static bool add_domain(xenfork_ctx *ctx, struct macs *macs, const char *domid)
{
    unsigned int i, count = 0;
    cleanup_free char **devids = xenfork__xs_list(
        ctx, &count, "/libxl/%s/device/vif", domid);

    for (i = 0; devids && i < count && macs->count < MAX_MACS; i++)
        if (!add_live_nic(ctx, macs, domid, devids[i]))
            return false;
    return true;
}

/* Add every "00:16:3e:01:02:03" in a text, in quotes or not. */
static bool add_text(struct macs *macs, const char *text)
{
    static const char hex[] = "0123456789abcdefABCDEF";
    const char *colon;
    size_t i;

    for (colon = strchr(text, ':'); colon && macs->count < MAX_MACS;
         colon = strchr(colon + 1, ':')) {
        const char *p = colon - text >= 2 ? colon - 2 : text;

        for (i = 0; i < MAC_TEXT; i++)
            if (i % 3 == 2 ? p[i] != ':' : !p[i] || !strchr(hex, p[i]))
                break;
        if (i == MAC_TEXT && !add_mac(macs, p))
            return false;
    }
    return true;
}

static bool is_record(const char *name)
{
    return !strncmp(name, "userdata-", 9) &&
           (strstr(name, ".libxl-json") || strstr(name, ".xl"));
}

/*
 * Add the MACs of libxl's records of domains: also of NICs that are configured
 * and not there, and of domains that are about to be.  A domain that goes
 * meanwhile counts no more.
 */
static int add_libxl_records(xenfork_ctx *ctx, struct macs *macs)
{
    char **names;
    size_t count, i;
    int rc = xenfork__dir_names(ctx, RECORDS_DIR, &names, &count);

    if (rc < 0)
        return rc;
    for (i = 0; i < count && rc >= 0; i++) {
        cleanup_free char *path = NULL;
        cleanup_free char *text = NULL;
        size_t bytes;

        if (!is_record(names[i]))
            continue;
        if (asprintf(&path, RECORDS_DIR "/%s", names[i]) < 0) {
            path = NULL;
            rc = xenfork__nomem(ctx);
        } else if ((rc = xenfork__file_read(ctx, path, MAX_RECORD, &text,
                                            &bytes)) == 0) {
            rc = add_text(macs, text) ? 0 : xenfork__nomem(ctx);
        } else if (rc == XENFORK_E_NOTFOUND) {
            rc = 0;
        }
    }
    xenfork__names_free(names, count);
    return rc;
}

int xenfork__xen_macs(xenfork_ctx *ctx, uint8_t **macs_out, size_t *count_out)
{
    unsigned int i, count = 0;
    cleanup_free char **domids = xenfork__xs_list(ctx, &count, "/libxl");
    struct macs macs = {NULL, 0, 0};
    int rc;

    if (!domids && errno != ENOENT)
        return xenfork__fail(ctx, XENFORK_E_XEN, errno,
                             "cannot list the domains' network interfaces");
    for (i = 0; domids && i < count && macs.count < MAX_MACS; i++) {
        if (!add_domain(ctx, &macs, domids[i])) {
            free(macs.bytes);
            return xenfork__nomem(ctx);
        }
    }
    rc = add_libxl_records(ctx, &macs);
    if (rc < 0) {
        free(macs.bytes);
        return rc;
    }
    *macs_out = macs.bytes;
    *count_out = macs.count;
    return 0;
}

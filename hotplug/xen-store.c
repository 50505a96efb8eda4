/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* xenstore, for as long as we run. */
#include "config.h"

#include <errno.h>
#include <string.h>
#include <xenstore.h>

#include "base/cleanup.h"
#include "host.h"

#define TRIES 100U /* others, or a guest, get between */

static struct xs_handle *store(void)
{
    static struct xs_handle *handle;

    if (!handle)
        handle = xs_open(0);
    return handle;
}

char *store_read(const char *path)
{
    return store() ? xs_read(store(), XBT_NULL, path, NULL) : NULL;
}

char **store_list(const char *path, unsigned int *count_out)
{
    return store() ? xs_directory(store(), XBT_NULL, path, count_out) : NULL;
}

bool store_write(const char *path, const char *value)
{
    return store() &&
           xs_write(store(), XBT_NULL, path, value, (unsigned)strlen(value));
}

static bool has_node(xs_transaction_t t, const char *path)
{
    cleanup_free char *value = xs_read(store(), t, path, NULL);

    return value != NULL;
}

static bool set_node(xs_transaction_t t, const char *path, const char *value)
{
    return !has_node(t, path) ||
           xs_write(store(), t, path, value, (unsigned)strlen(value));
}

bool store_update(const char *path, const char *other, const char *value)
{
    xs_transaction_t t;
    unsigned int tries = 0;

    do {
        t = store() ? xs_transaction_start(store()) : XBT_NULL;
        if (t == XBT_NULL)
            return false;
        if (!set_node(t, path, value) || !set_node(t, other, value)) {
            xs_transaction_end(store(), t, true);
            return false;
        }
        if (xs_transaction_end(store(), t, false))
            return true;
    } while (errno == EAGAIN && ++tries < TRIES);
    return false;
}

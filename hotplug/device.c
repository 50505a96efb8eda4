/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Find the device for which we are called, and its place in xenstore. */
#include "config.h"

#include "hotplug.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "base/cleanup.h"
#include "host.h"

/* Take the number at *text, in its shortest form, and move behind it. */
static bool take_number(const char **text, uint32_t *value_out)
{
    const char *p = *text;
    uint64_t value = 0;

    while (*p >= '0' && *p <= '9' && value <= UINT32_MAX)
        value = value * 10 + (uint64_t)(*p++ - '0');
    if (p == *text || value > UINT32_MAX || (**text == '0' && p != *text + 1))
        return false;
    *text = p;
    *value_out = (uint32_t)value;
    return true;
}

static bool take_text(const char **text, const char *what)
{
    size_t length = strlen(what);

    if (strncmp(*text, what, length))
        return false;
    *text += length;
    return true;
}

bool device_parse(struct device *device, const char *type, const char *path,
                  const char *vif)
{
    struct device found = {.path = path};
    const char *p = path;
    char name[32];

    if (!type || !path || !take_text(&p, "backend/") || !take_text(&p, type) ||
        !take_text(&p, "/") || !take_number(&p, &found.domid) ||
        !take_text(&p, "/") || !take_number(&p, &found.devid) || *p)
        return false;
    if (!strcmp(type, "vbd")) {
        found.script = "block";
    } else if (!strcmp(type, "vif")) {
        snprintf(name, sizeof(name), "vif%" PRIu32 ".%" PRIu32, found.domid,
                 found.devid);
        if (!vif || strcmp(vif, name))
            return false;
        found.script = "vif-bridge";
        found.vif = vif;
    } else {
        return false;
    }
    *device = found;
    return true;
}

char *device_read(const struct device *device, const char *key)
{
    cleanup_free char *path = NULL;

    if (asprintf(&path, "%s/%s", device->path, key) < 0) {
        path = NULL;
        return NULL;
    }
    return store_read(path);
}

bool device_write(const struct device *device, const char *key,
                  const char *value)
{
    cleanup_free char *path = NULL;

    if (asprintf(&path, "%s/%s", device->path, key) < 0) {
        path = NULL;
        return false;
    }
    return store_write(path, value);
}

/* Say that the device failed, like fatal() of xen-hotplug-common.sh. */
enum outcome device_fail(const struct device *device, const char *text)
{
    device_write(device, "hotplug-error", text);
    device_write(device, "hotplug-status", "error");
    syslog(LOG_ERR, "%s: %s", device->path, text);
    return OUTCOME_FAILED;
}

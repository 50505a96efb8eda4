/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <yajl/yajl_parse.h>

#include "params.h"

#define MAX_KEY   XENFORK_MAX_PARAM_KEY
#define MAX_VALUE XENFORK_MAX_PARAM_VALUE

int params_set(xenfork_spec *spec, const char *text)
{
    const char *equals = strchr(text, '=');
    const char *fault;
    char key[MAX_KEY + 1];

    if (!equals || equals - text > (int)MAX_KEY)
        return XENFORK_E_INVAL;
    memcpy(key, text, equals - text);
    key[equals - text] = '\0';
    fault = xenfork_param_fault(key, equals + 1);
    if (fault)
        fprintf(stderr, "xl: --param %s: %s\n", text, fault);
    return xenfork_spec_set_param(spec, XENFORK_ALL, key, equals + 1);
}

/* Where the parser is.  Depth 0: before the list; 1: in it; 2: an object. */
struct loader {
    xenfork_spec *spec;
    const char *path;
    uint32_t count;
    uint32_t clones; /* objects that have begun */
    int depth;
    char key[MAX_KEY + 1];
    bool has_told;
};

/* Report the first mistake; stops the parser. */
static int report_mistake(struct loader *loader, const char *what)
{
    if (!loader->has_told && loader->depth == 2)
        fprintf(stderr, "xl: %s: clone %u: %s%s%s\n", loader->path,
                loader->clones, loader->key, loader->key[0] ? ": " : "", what);
    else if (!loader->has_told)
        fprintf(stderr, "xl: %s: %s\n", loader->path, what);
    loader->has_told = true;
    return 0;
}

static int add_piece(struct loader *loader, const char *text, size_t len)
{
    char value[MAX_VALUE + 1];
    const char *fault;
    int rc;

    if (loader->depth != 2)
        return report_mistake(loader, "not a list of objects");
    if (len > MAX_VALUE)
        return report_mistake(loader, "longer than 1024 bytes");
    if (memchr(text, '\0', len))
        return report_mistake(loader, "a NUL character cannot be passed");
    memcpy(value, text, len);
    value[len] = '\0';
    fault = xenfork_param_fault(loader->key, value);
    if (fault)
        return report_mistake(loader, fault);
    rc = xenfork_spec_set_param(loader->spec, loader->clones - 1, loader->key,
                                value);
    if (rc == XENFORK_E_NOMEM)
        return report_mistake(loader, strerror(ENOMEM));
    return rc == 0 || report_mistake(loader, "malformed key, or too many");
}

static int on_null(void *opaque)
{
    return report_mistake(opaque, "null is no value");
}

static int on_boolean(void *opaque, int value)
{
    return value ? add_piece(opaque, "true", 4) : add_piece(opaque, "false", 5);
}

static int on_number(void *opaque, const char *text, size_t len)
{
    return add_piece(opaque, text, len);
}

static int on_string(void *opaque, const unsigned char *text, size_t len)
{
    return add_piece(opaque, (const char *)text, len);
}

static int on_start_map(void *opaque)
{
    struct loader *loader = opaque;

    if (loader->depth != 1)
        return report_mistake(loader, loader->depth ? "an object is no value"
                                                    : "not a list of objects");
    if (loader->clones == loader->count)
        return report_mistake(loader, "more objects than clones");
    loader->clones++;
    loader->depth = 2;
    loader->key[0] = '\0';
    return 1;
}

static int on_map_key(void *opaque, const unsigned char *text, size_t len)
{
    struct loader *loader = opaque;

    loader->key[0] = '\0';
    if (len > MAX_KEY || memchr(text, '\0', len))
        return report_mistake(loader, "malformed key");
    memcpy(loader->key, text, len);
    loader->key[len] = '\0';
    return 1;
}

static int on_end_map(void *opaque)
{
    struct loader *loader = opaque;

    loader->depth = 1;
    return 1;
}

static int on_start_array(void *opaque)
{
    struct loader *loader = opaque;

    if (loader->depth)
        return report_mistake(loader, "a list is no value");
    loader->depth = 1;
    return 1;
}

static int on_end_array(void *opaque)
{
    struct loader *loader = opaque;

    loader->depth = 0;
    return loader->clones == loader->count ||
           report_mistake(loader, "fewer objects than clones");
}

static const yajl_callbacks callbacks = {
    .yajl_null = on_null,
    .yajl_boolean = on_boolean,
    .yajl_number = on_number,
    .yajl_string = on_string,
    .yajl_start_map = on_start_map,
    .yajl_map_key = on_map_key,
    .yajl_end_map = on_end_map,
    .yajl_start_array = on_start_array,
    .yajl_end_array = on_end_array,
};

static yajl_status parse_stream(yajl_handle handle, FILE *file)
{
    unsigned char buffer[4096];
    yajl_status status = yajl_status_ok;
    size_t n;

    while (status == yajl_status_ok &&
           (n = fread(buffer, 1, sizeof(buffer), file)) > 0)
        status = yajl_parse(handle, buffer, n);
    return status == yajl_status_ok ? yajl_complete_parse(handle) : status;
}

bool params_load(xenfork_spec *spec, const char *path, uint32_t count)
{
    struct loader loader = {.spec = spec, .path = path, .count = count};
    FILE *file = fopen(path, "re");
    yajl_handle handle = file ? yajl_alloc(&callbacks, NULL, &loader) : NULL;
    yajl_status status = handle ? parse_stream(handle, file)
                                : yajl_status_error;
    bool ok = status == yajl_status_ok && !ferror(file);

    if (!handle || ferror(file))
        report_mistake(&loader, strerror(errno));
    else if (!ok)
        report_mistake(&loader, "malformed JSON");
    if (handle)
        yajl_free(handle);
    if (file)
        fclose(file);
    return ok;
}
